/* SPDX-License-Identifier: Apache-2.0 */
#include "provider/kem.h"

#include <openssl/core_dispatch.h>

#include "provider/key.h"
#include "provider/share.h"

static OSSL_FUNC_kem_newctx_fn kem_newctx;
static OSSL_FUNC_kem_freectx_fn kem_freectx;
static OSSL_FUNC_kem_encapsulate_init_fn kem_encapsulate_init;
static OSSL_FUNC_kem_encapsulate_fn kem_encapsulate;
static OSSL_FUNC_kem_decapsulate_init_fn kem_decapsulate_init;
static OSSL_FUNC_kem_decapsulate_fn kem_decapsulate;

struct operation {
    struct context *context;
    struct key *key; /* borrowed: EVP holds it for the length of the operation */
    int left_ms;     /* of the time budget, for the responder's or server's part */
};

static void *kem_newctx(void *vcontext)
{
    struct context *context = vcontext;
    struct operation *operation = OPENSSL_zalloc(sizeof(*operation));

    if (operation == NULL) {
        RAISE(&context->errors, REASON_INTERNAL, "encapsulation or decapsulation");
        return NULL;
    }
    operation->context = context;
    return operation;
}

static void kem_freectx(void *voperation)
{
    OPENSSL_free(voperation);
}

static int begin(struct operation *operation, struct key *key, enum key_state wanted,
                 const char *what)
{
    const struct status *fault = &operation->context->fault;

    if (fault->outcome != OUTCOME_OK)
        return CONTEXT_RAISE(operation->context, key->group, fault);
    if (key->state != wanted) {
        RAISE(&operation->context->errors, REASON_KEY_USE, "group %s: this key cannot %s",
              key->group->name, what);
        return 0;
    }
    operation->key = key;
    return 1;
}

static struct key_ref reference(const struct key *key, const struct key_id *key_id)
{
    return (struct key_ref){.kind = source_ref_kind(key->context->source), .id = *key_id};
}

/* Whether there is anything to ask a key server for. */
static bool is_for_us(const struct key *key)
{
    return !key_id_is_zero(&key->key_id) ||
           source_ref_kind(key->context->source) == KEY_REF_ETSI014;
}

static bool get_ready(const struct key *key, const struct deadline *deadline, struct status *status)
{
    struct source *source = key->context->source;
    struct key_ref ref = reference(key, &key->key_id);
    bool reserves = key_id_is_zero(&key->key_id);

    return source_turn(source, reserves ? NULL : &ref, deadline, status) &&
           source_prepare(source, reserves ? GUARD_RESERVE : GUARD_CLAIM, deadline, status);
}

/* What is wrong on our side shows here, not in the real call: libssl then tells the peer
 * internal_error rather than that its key share was bad. */
static int kem_encapsulate_init(void *voperation, void *vkey, const OSSL_PARAM params[])
{
    struct operation *operation = voperation;
    struct status status = STATUS_INIT;
    struct deadline deadline;

    (void)params;
    if (!begin(operation, vkey, KEY_PUBLIC, "encapsulate"))
        return 0;
    deadline = deadline_in_ms(settings_timeout_ms(operation->context->settings));
    if (is_for_us(operation->key) && !get_ready(operation->key, &deadline, &status))
        return CONTEXT_RAISE(operation->context, operation->key->group, &status);
    operation->left_ms = deadline_left_ms(&deadline);
    return 1;
}

static int kem_decapsulate_init(void *voperation, void *vkey, const OSSL_PARAM params[])
{
    (void)params;
    return begin(voperation, vkey, KEY_PRIVATE, "decapsulate");
}

static int refuse_buffer(const struct key *key, const char *what, size_t needed, size_t given)
{
    RAISE(&key->context->errors, REASON_BUFFER_TOO_SMALL,
          "group %s: the %s needs %zu octets, the buffer has %zu", key->group->name, what, needed,
          given);
    return 0;
}

static bool refuse_size(const struct secret *key, struct status *status)
{
    return status_fail(status, OUTCOME_KME, "the QKD key has %zu octets instead of %d",
                       key->size_bytes, SHARE_QKD_KEY_BYTES);
}

/* Takes the key over. The size is checked once more where the octets are copied. */
static bool finish(struct key *key, const struct delivery *delivery, enum role role,
                   const struct key_id *key_id, uint8_t *secret, size_t inner_bytes,
                   struct status *status)
{
    struct secret *qkd_key = delivery->key;
    bool ok = qkd_key->size_bytes == SHARE_QKD_KEY_BYTES || refuse_size(qkd_key, status);
    char text[KEY_ID_TEXT_CHARS + 1];

    if (ok) {
        share_set_qkd_key(secret, inner_bytes, qkd_key);
        used_key_note(&key->used, role, key_id);
        key_id_format(key_id, text);
        log_line(key->context->log, LOG_LEVEL_INFO, "handshake key %s role=%s key_id=%s kme=%s",
                 key->group->name, role_name(role), text, delivery->kme);
    }
    secret_free(qkd_key);
    return ok;
}

/* A stream that the server opened could not be named to the client in time. */
static bool refuse_to_initiate(struct status *status)
{
    return status_fail(status, OUTCOME_PEER,
                       "the client asks us to reserve the key (initiator = server there), which "
                       "needs ETSI 014 here");
}

/* The server's QKD half: claims the key that the client named, or reserves one and names it. */
static bool server_half(const struct operation *operation, struct key_id *answer, uint8_t *secret,
                        size_t inner_bytes, struct status *status)
{
    struct key *key = operation->key;
    struct source *source = key->context->source;
    struct deadline deadline = deadline_in_ms(operation->left_ms);
    struct key_ref ref = reference(key, &key->key_id);
    struct reservation *reservation = NULL;
    struct delivery delivery;
    enum role role = key_id_is_zero(&key->key_id) ? ROLE_INITIATOR : ROLE_RESPONDER;
    bool ok;

    if (role == ROLE_INITIATOR && source_ref_kind(source) != KEY_REF_ETSI014)
        return refuse_to_initiate(status);
    if (role == ROLE_RESPONDER) {
        ok = source_claim(source, &ref, &deadline, &delivery, status);
        *answer = key->key_id;
    } else {
        ok = source_reserve(source, &deadline, &reservation, status) &&
             reservation_collect(reservation, &deadline, &delivery, status);
        if (ok)
            *answer = reservation_ref(reservation)->id;
    }
    ok = ok && finish(key, &delivery, role, answer, secret, inner_bytes, status);
    reservation_free(reservation);
    return ok;
}

static bool check_answer(const struct key *key, const struct key_id *answer, struct status *status)
{
    if (key_id_is_zero(answer))
        return status_fail(status, OUTCOME_PEER, "the server named no key: its key ID is zero");
    if (!key_id_is_zero(&key->key_id) && !key_id_equal(answer, &key->key_id))
        return status_fail(status, OUTCOME_PEER, "the server answered with another key ID");
    return true;
}

/* The client's QKD half: collects what it reserved, or claims what the server named. */
static bool client_half(struct key *key, const struct key_id *answer, uint8_t *secret,
                        size_t inner_bytes, struct status *status)
{
    struct reservation *reservation;
    struct deadline deadline;
    struct key_ref ref;
    struct delivery delivery;
    bool ok;

    if (!offer_spend(key->offer))
        return status_fail(status, OUTCOME_INPUT, "the QKD key of this key share was used already");
    deadline = deadline_in_ms(offer_left_ms(key->offer));
    reservation = offer_reservation(key->offer);
    ref = reference(key, answer);
    if (reservation != NULL) {
        reservation_answered(reservation);
        ok = reservation_collect(reservation, &deadline, &delivery, status);
    } else {
        ok = source_turn(key->context->source, &ref, &deadline, status) &&
             source_claim(key->context->source, &ref, &deadline, &delivery, status);
    }
    return ok && finish(key, &delivery, reservation != NULL ? ROLE_INITIATOR : ROLE_RESPONDER,
                        answer, secret, inner_bytes, status);
}

/* Why it failed, with *status filled in; REASON_NONE when it did not. */
static enum reason encapsulate(const struct operation *operation, const struct inner_sizes *sizes,
                               uint8_t *share, uint8_t *secret, struct status *status)
{
    const struct key *key = operation->key;
    struct key_id answer;

    if (!inner_encapsulate(&key->context->inner, key->group, key->inner, sizes, share, secret,
                           status))
        return REASON_INNER_ALGORITHM;
    if (!server_half(operation, &answer, secret, sizes->secret_bytes, status))
        return reason_of_outcome(status->outcome);
    share_set_key_id(share, sizes->ciphertext_bytes, &answer);
    return REASON_NONE;
}

static int kem_encapsulate(void *voperation, unsigned char *share, size_t *share_length,
                           unsigned char *secret, size_t *secret_length)
{
    const struct operation *operation = voperation;
    const struct key *key = operation->key;
    struct status status = STATUS_INIT;
    struct inner_sizes sizes;
    size_t whole_share, whole_secret;
    enum reason reason;

    if (!inner_sizes(&key->context->inner, key->group, key->inner, &sizes, &status))
        return CONTEXT_RAISE(key->context, key->group, &status);
    whole_share = share_bytes(sizes.ciphertext_bytes);
    whole_secret = share_secret_bytes(sizes.secret_bytes);
    if (share != NULL) {
        if (share_length == NULL || *share_length < whole_share)
            return refuse_buffer(key, "key share", whole_share,
                                 share_length != NULL ? *share_length : 0);
        if (secret == NULL || secret_length == NULL || *secret_length < whole_secret)
            return refuse_buffer(key, "shared secret", whole_secret,
                                 secret_length != NULL ? *secret_length : 0);
        reason = encapsulate(operation, &sizes, share, secret, &status);
        if (reason != REASON_NONE) {
            OPENSSL_cleanse(share, whole_share);
            OPENSSL_cleanse(secret, whole_secret);
            return CONTEXT_RAISE_AS(key->context, key->group, reason, &status);
        }
    }
    if (share_length != NULL)
        *share_length = whole_share;
    if (secret_length != NULL)
        *secret_length = whole_secret;
    return 1;
}

static enum reason decapsulate(struct key *key, const struct inner_sizes *sizes,
                               const uint8_t *share, size_t share_length, uint8_t *secret,
                               struct status *status)
{
    struct key_id answer;
    size_t inner_bytes;

    if (!share_split(share, share_length, &inner_bytes, &answer) ||
        inner_bytes != sizes->ciphertext_bytes) {
        status_fail(status, OUTCOME_PEER, "its key share has %zu octets instead of %zu",
                    share_length, share_bytes(sizes->ciphertext_bytes));
        return REASON_PEER_SHARE;
    }
    if (!check_answer(key, &answer, status))
        return REASON_PEER_KEY_ID;
    if (!inner_decapsulate(&key->context->inner, key->group, key->inner, sizes, share, secret,
                           status))
        return REASON_INNER_ALGORITHM;
    return client_half(key, &answer, secret, sizes->secret_bytes, status)
               ? REASON_NONE
               : reason_of_outcome(status->outcome);
}

static int kem_decapsulate(void *voperation, unsigned char *secret, size_t *secret_length,
                           const unsigned char *share, size_t share_length)
{
    struct key *key = ((struct operation *)voperation)->key;
    struct status status = STATUS_INIT;
    struct inner_sizes sizes;
    size_t whole_secret;
    enum reason reason;

    if (!inner_sizes(&key->context->inner, key->group, key->inner, &sizes, &status))
        return CONTEXT_RAISE(key->context, key->group, &status);
    whole_secret = share_secret_bytes(sizes.secret_bytes);
    if (secret != NULL) {
        if (secret_length == NULL || *secret_length < whole_secret)
            return refuse_buffer(key, "shared secret", whole_secret,
                                 secret_length != NULL ? *secret_length : 0);
        reason = decapsulate(key, &sizes, share, share_length, secret, &status);
        if (reason != REASON_NONE) {
            OPENSSL_cleanse(secret, whole_secret);
            return CONTEXT_RAISE_AS(key->context, key->group, reason, &status);
        }
    }
    if (secret_length != NULL)
        *secret_length = whole_secret;
    return 1;
}

static const OSSL_DISPATCH kem_functions[] = {
    {OSSL_FUNC_KEM_NEWCTX, (void (*)(void))kem_newctx},
    {OSSL_FUNC_KEM_FREECTX, (void (*)(void))kem_freectx},
    {OSSL_FUNC_KEM_ENCAPSULATE_INIT, (void (*)(void))kem_encapsulate_init},
    {OSSL_FUNC_KEM_ENCAPSULATE, (void (*)(void))kem_encapsulate},
    {OSSL_FUNC_KEM_DECAPSULATE_INIT, (void (*)(void))kem_decapsulate_init},
    {OSSL_FUNC_KEM_DECAPSULATE, (void (*)(void))kem_decapsulate},
    {0, NULL},
};

#define ALGORITHM(id) {"qkd_" #id, "provider=qkd", kem_functions, "QKD with " #id},

const OSSL_ALGORITHM kem_algorithms[GROUP_COUNT + 1] = {
    QKD_GROUPS(ALGORITHM){NULL, NULL, NULL, NULL},
};
