/* SPDX-License-Identifier: Apache-2.0 */
#include "kme/shelf_queue.h"

#include <string.h>

#include <openssl/crypto.h>

struct shelf_operation *shelf_operation_new(enum shelf_action action, enum shelf_kind kind,
                                            const char *peer, const struct key_id *id,
                                            const void *octets, size_t length)
{
    size_t size_bytes = sizeof(struct shelf_operation) + length, peer_length = strlen(peer);
    struct shelf_operation *operation;

    if (length > SHELF_OCTETS_MAX || peer_length > SHELF_PEER_MAX_CHARS)
        return NULL;
    operation = OPENSSL_malloc(size_bytes);
    if (operation == NULL)
        return NULL;
    *operation = (struct shelf_operation){.size_bytes = size_bytes, .action = action, .id = *id};
    memcpy(operation->peer, peer, peer_length + 1);
    if (length > 0)
        memcpy(operation->octets, octets, length);
    operation->item = (struct shelf_item){.kind = (int)kind,
                                          .peer = operation->peer,
                                          .id = &operation->id,
                                          .octets = operation->octets,
                                          .length = length};
    return operation;
}

void shelf_operation_free(struct shelf_operation *operation)
{
    if (operation != NULL)
        OPENSSL_clear_free(operation, operation->size_bytes);
}

void shelf_queue_add(struct shelf_queue *queue, struct shelf_operation *operation)
{
    if (queue->first == NULL)
        queue->first = operation;
    else
        queue->last->next = operation;
    queue->last = operation;
    queue->bytes += operation->size_bytes;
}

void shelf_queue_move(struct shelf_queue *to, struct shelf_queue *from)
{
    if (from->first == NULL)
        return;
    if (to->first == NULL)
        to->first = from->first;
    else
        to->last->next = from->first;
    to->last = from->last;
    to->bytes += from->bytes;
    *from = (struct shelf_queue){NULL, NULL, 0};
}

struct shelf_queue shelf_queue_cut(struct shelf_queue *from, size_t max_bytes)
{
    struct shelf_queue cut = {NULL, NULL, 0};
    bool whole = true;

    while (from->first != NULL && !(whole && cut.bytes >= max_bytes)) {
        struct shelf_operation *operation = from->first;

        from->first = operation->next;
        from->bytes -= operation->size_bytes;
        operation->next = NULL;
        whole = operation->ends;
        shelf_queue_add(&cut, operation);
    }
    return cut;
}

void shelf_queue_wipe(struct shelf_queue *queue)
{
    for (struct shelf_operation *next, *operation = queue->first; operation != NULL;
         operation = next) {
        next = operation->next;
        shelf_operation_free(operation);
    }
    *queue = (struct shelf_queue){NULL, NULL, 0};
}
