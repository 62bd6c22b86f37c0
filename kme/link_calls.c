/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the key server ask of a link, and tell the peer over it. */
#include "kme/link_parts.h"

uint64_t link_heard(const struct link *link)
{
    return link_session_told(link->session) - link_session_waiting(link->session);
}

void link_on_keys(struct link *link, const struct link_keys *keys, void *arg)
{
    link->keys = keys;
    link->keys_arg = arg;
}

void link_on_streams(struct link *link, const struct link_streams *streams, void *arg)
{
    link->streams = streams;
    link->streams_arg = arg;
}

bool link_is_up(const struct link *link)
{
    return link_session_is_up(link->session);
}

int64_t link_since_ns(const struct link *link)
{
    return link->since_ns;
}

size_t link_capacity_blocks(const struct link *link)
{
    return link_session_capacity_blocks(link->session);
}

bool link_has_room(const struct link *link, size_t count)
{
    return link_is_up(link) && link_session_has_room(link->session, count);
}

bool link_send_stream(struct link *link, struct frame *frame, uint32_t bits)
{
    event_active(link->flush, EV_TIMEOUT, 0);
    return link_session_send_stream(link->session, frame, bits, link_output(link));
}

uint64_t link_ticket(const struct link *link)
{
    return link_session_told(link->session);
}

bool link_has_told(const struct link *link, uint64_t ticket)
{
    return link_heard(link) >= ticket;
}

bool link_assign(struct link *link, const struct assignment *assignment)
{
    event_active(link->flush, EV_TIMEOUT, 0);
    return link_session_assign(link->session, assignment, link_output(link));
}

bool link_relay(struct link *link, struct frame_relay *relay)
{
    event_active(link->flush, EV_TIMEOUT, 0);
    return link_session_relay(link->session, relay, link_output(link));
}

void link_stock(struct link *link, size_t wanted_blocks)
{
    event_active(link->flush, EV_TIMEOUT, 0);
    link_session_stock(link->session, wanted_blocks, link_output(link));
}

bool link_is_idle(const struct link *link)
{
    return link_session_waiting(link->session) == 0 && !link_session_owes_ack(link->session);
}
