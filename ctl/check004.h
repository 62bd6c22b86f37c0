/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of ETSI GS QKD 004: each gets a scene of its own and says what it found. The numbers
 * are those of docs/check-kme.md.
 */
#ifndef QKD_CTL_CHECK004_H
#define QKD_CTL_CHECK004_H

#include "ctl/check.h"
#include "ctl/scene004.h"

/* Who takes part in this run. */
const struct cast004 *check004_cast(const struct check_run *run);

typedef bool scene_fn(struct scene004 *scene, struct status *status);

/* Plays one check in a scene of its own: passed when it returns true, unless it skipped. */
void check004_play(struct check_run *run, struct check_report *report, scene_fn *play);

/* A function for the table of checks out of one that plays a scene. */
#define CHECK004(name, play)                                                                       \
    void name(struct check_run *run, struct check_report *report)                                  \
    {                                                                                              \
        check004_play(run, report, play);                                                          \
    }

typedef void check_fn(struct check_run *run, struct check_report *report);

/* check004_wire.c: frames. */
check_fn check004_profile_and_version, check004_pieces, check004_too_large,
    check004_unknown_service, check004_stop_service, check004_malformed, check004_largest_index,
    check004_w2_complete;

/* check004_open.c: OPEN_CONNECT, its ID and its peer. */
check_fn check004_fresh_id, check004_distinct_ids, check004_predefined_id, check004_second_gets_qos,
    check004_third_open, check004_stranger_open, check004_uri_order, check004_other_uris,
    check004_waits_for_peer, check004_peer_comes, check004_either_order, check004_bad_uris,
    check004_burnt_id;

/* check004_qos.c: OPEN_CONNECT, what is granted. */
check_fn check004_null_qos, check004_media_type, check004_json, check004_no_metadata,
    check004_counter_proposal, check004_timeout_zero;

/* check004_get_key.c: GET_KEY. */
check_fn check004_unknown_stream, check004_absent_peer, check004_size_and_index,
    check004_same_octets, check004_no_octets_twice, check004_repeated_index, check004_any_order,
    check004_beyond_window, check004_next_waits, check004_timeout, check004_ttl, check004_max_bps,
    check004_min_bps;

/* check004_metadata.c: GET_KEY, metadata. */
check_fn check004_no_room, check004_too_small, check004_metadata_json, check004_room_is_kept;

/* check004_streams.c: CLOSE, lost connections, identities. */
check_fn check004_close, check004_peer_left, check004_abandoned, check004_lost_connection,
    check004_certificate, check004_other_identity;

/* check004_many.c and check004_link.c. */
check_fn check004_waiting_calls, check004_many_streams, check004_link_down;

#endif
