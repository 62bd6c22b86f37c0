/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_etsi004.h"

enum { ROOM = 8192 };

#define OPEN_W1 URIS QOS_W1
#define OPEN_W2 URIS QOS_W2
#define GET_KEY_24 STREAM_ID "00000000 00000400 "

static struct etsi004_open sample_open(const struct key_id *stream_id)
{
    struct etsi004_open open;

    memset(&open, 0, sizeof(open));
    strcpy(open.source, "client://a");
    strcpy(open.destination, "server://b");
    open.qos = sample_qos;
    open.stream_id = *stream_id;
    return open;
}

static void check_open(const char *message, enum etsi004_profile profile,
                       const struct key_id *stream_id)
{
    struct etsi004_open sample = sample_open(stream_id);

    for (size_t i = 0; i < COUNT_OF(both_profiles); i++) {
        static struct octets octets;
        struct etsi004_frame frame = frame_of(octets_of(&octets, message));
        enum etsi004_profile told = both_profiles[i];
        struct etsi004_open open;
        struct buf buf;

        memset(&open, 0xee, sizeof(open));
        assert_int_equal(frame.service, ETSI004_OPEN_CONNECT);
        assert_true(etsi004_open_parse(&frame, &told, &open));
        assert_int_equal(told, profile);
        assert_string_equal(open.source, sample.source);
        assert_string_equal(open.destination, sample.destination);
        assert_memory_equal(&open.qos, &sample.qos,
                            offsetof(struct etsi004_qos, metadata_mimetype));
        assert_string_equal(open.qos.metadata_mimetype, sample.qos.metadata_mimetype);
        assert_true(key_id_equal(&open.stream_id, stream_id));
        buf_init(&buf, ROOM);
        etsi004_open_put(&buf, profile, &sample);
        assert_octets(&buf, message);
    }
}

static void open_connect_is_the_vector_in_both_directions(void **state)
{
    static struct octets octets;

    (void)state;
    assert_int_equal(octets_of(&octets, "01000102 00000142 " OPEN_W1 "00*16")->length, 330);
    assert_int_equal(octets_of(&octets, "02010102 00000053 " OPEN_W2 "00*16")->length, 91);
    check_open("01000102 00000142 " OPEN_W1 "00*16", ETSI004_W1, &no_stream_id);
    check_open("01000102 00000142 " OPEN_W1 STREAM_ID, ETSI004_W1, &sample_stream_id);
    check_open("02010102 00000053 " OPEN_W2 "00*16", ETSI004_W2, &no_stream_id);
    check_open("02010102 00000053 " OPEN_W2 STREAM_ID, ETSI004_W2, &sample_stream_id);
}

static bool parses_get_key(const char *message, enum etsi004_profile *profile,
                           struct etsi004_get_key *get_key)
{
    static struct octets octets;
    struct etsi004_frame frame = frame_of(octets_of(&octets, message));

    assert_int_equal(frame.service, ETSI004_GET_KEY);
    return etsi004_get_key_parse(&frame, profile, get_key);
}

static void check_get_key(const char *message, enum etsi004_profile profile, uint32_t index,
                          uint32_t metadata_bytes)
{
    struct etsi004_get_key get_key = {no_stream_id, 99, 99};
    enum etsi004_profile told = profile;
    struct buf buf;

    assert_true(parses_get_key(message, &told, &get_key));
    assert_int_equal(told, profile);
    assert_true(key_id_equal(&get_key.stream_id, &sample_stream_id));
    assert_int_equal(get_key.index, index);
    assert_int_equal(get_key.metadata_bytes, metadata_bytes);
    buf_init(&buf, ROOM);
    etsi004_get_key_put(&buf, profile, &get_key);
    assert_octets(&buf, message);
}

static void get_key_is_the_vector_in_both_directions(void **state)
{
    (void)state;
    check_get_key("01000104 00000018 " GET_KEY_24, ETSI004_W1, 0, 1024);
    check_get_key("01000104 00000018 " STREAM_ID "ffffffff 00000000", ETSI004_W1, UINT32_MAX, 0);
    check_get_key("01000104 00000018 " STREAM_ID "00000001 ffffffff", ETSI004_W1, 1, UINT32_MAX);
    check_get_key("02010104 00000418 " GET_KEY_24 "00*1024", ETSI004_W2, 0, 1024);
    check_get_key("02010104 00000018 " STREAM_ID "01020304 00000000", ETSI004_W2, 0x01020304, 0);
    check_get_key("02010104 00001018 " STREAM_ID "00000000 00001000 00*4096", ETSI004_W2, 0, 4096);
}

static void close_is_the_vector_in_both_directions(void **state)
{
    static const char *const messages[] = {
        [ETSI004_W1] = "01000108 00000010 " STREAM_ID,
        [ETSI004_W2] = "02010108 00000010 " STREAM_ID,
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(both_profiles); i++) {
        static struct octets octets;
        struct etsi004_frame frame = frame_of(octets_of(&octets, messages[both_profiles[i]]));
        struct key_id stream_id = no_stream_id;
        struct buf buf;

        assert_int_equal(frame.service, ETSI004_CLOSE);
        assert_true(etsi004_close_parse(&frame, &stream_id));
        assert_true(key_id_equal(&stream_id, &sample_stream_id));
        buf_init(&buf, ROOM);
        etsi004_close_put(&buf, both_profiles[i], &stream_id);
        assert_octets(&buf, messages[both_profiles[i]]);
    }
}

/* What an OPEN_CONNECT tells on a connection that spoke `before`; -1 when refused. */
static int told_by_open(const char *payload, enum etsi004_profile before)
{
    static struct octets octets;
    enum etsi004_profile profile = before;
    struct etsi004_frame frame;
    struct etsi004_open open;

    octets_of(&octets, payload);
    frame = (struct etsi004_frame){etsi004_version_of(before), ETSI004_OPEN_CONNECT, octets.data,
                                   octets.length};
    if (etsi004_open_parse(&frame, &profile, &open))
        return (int)profile;
    assert_int_equal(profile, before);
    return -1;
}

struct telling {
    const char *what;
    const char *payload;
    int told_after_w1, told_after_w2; /* -1 = refused */
};

static const struct telling open_tellings[] = {
    {"W1", OPEN_W1 "00*16", ETSI004_W1, ETSI004_W1},
    {"W2", OPEN_W2 "00*16", ETSI004_W2, ETSI004_W2},
    {"W1 without a media type", URIS QOS_NUMBERS "00*256" STREAM_ID, ETSI004_W1, ETSI004_W1},
    {"W2 without a media type", URIS QOS_NUMBERS "00" STREAM_ID, ETSI004_W2, ETSI004_W2},
    {"W2 without texts", "0000" NO_QOS_W2 "00*16", ETSI004_W2, ETSI004_W2},
    {"W1 of zeros alone", "0000 00*28 00*256 00*16", ETSI004_W1, ETSI004_W1},
    {"W1 with 254 characters", URIS QOS_NUMBERS "78*254 00*2" STREAM_ID, ETSI004_W1, ETSI004_W1},
    {"W2 with 254 characters", URIS QOS_NUMBERS "78*254 00" STREAM_ID, ETSI004_W2, ETSI004_W2},
    {"255 characters: the same in both", URIS QOS_NUMBERS "78*255 00" STREAM_ID, ETSI004_W1,
     ETSI004_W2},
    {"256 characters", URIS QOS_NUMBERS "78*256" STREAM_ID, -1, -1},
    {"256 characters and NUL", URIS QOS_NUMBERS "78*256 00" STREAM_ID, -1, -1},
    {"W1 padded with something", URIS QOS_NUMBERS "'text' 00*251 01" STREAM_ID, -1, -1},
    {"W1 padded with something", URIS QOS_NUMBERS "'text' 00 01 00*250" STREAM_ID, -1, -1},
    {"W1 one octet short", URIS QOS_NUMBERS "'text' 00*251" STREAM_ID, -1, -1},
    {"W1 one octet long", OPEN_W1 STREAM_ID "00", -1, -1},
    {"W2 one octet long", OPEN_W2 STREAM_ID "00", -1, -1},
    {"W2 one octet short", OPEN_W2 "00*15", -1, -1},
    {"no NUL behind the source", "'client://a'", -1, -1},
    {"no NUL behind the destination", "'client://a' 00 'server://b'", -1, -1},
    {"the URIs alone", URIS, -1, -1},
    {"the numbers cut", URIS "00*27", -1, -1},
    {"no media type", URIS QOS_NUMBERS, -1, -1},
    {"nothing", "", -1, -1},
};

static void open_connect_tells_its_profile_by_its_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(open_tellings); i++) {
        const struct telling *telling = &open_tellings[i];
        int after_w1 = told_by_open(telling->payload, ETSI004_W1);
        int after_w2 = told_by_open(telling->payload, ETSI004_W2);

        if (after_w1 != telling->told_after_w1 || after_w2 != telling->told_after_w2)
            fail_msg("%s: told %d and %d", telling->what, after_w1, after_w2);
    }
}

static const struct telling get_key_tellings[] = {
    {"room without its octets", STREAM_ID "00000000 00000400", ETSI004_W1, ETSI004_W1},
    {"room with its octets", STREAM_ID "00000000 00000002 0110", ETSI004_W2, ETSI004_W2},
    {"one octet of room", STREAM_ID "00000000 00000001 ff", ETSI004_W2, ETSI004_W2},
    {"no room: the same in both", STREAM_ID "00000000 00000000", ETSI004_W1, ETSI004_W2},
    {"fewer octets than room", STREAM_ID "00000000 00000400 00*1023", -1, -1},
    {"more octets than room", STREAM_ID "00000000 00000400 00*1025", -1, -1},
    {"octets without room", STREAM_ID "00000000 00000000 00", -1, -1},
    {"4 GiB of room and an octet", STREAM_ID "00000000 ffffffff 00", -1, -1},
    {"18 octets", STREAM_ID "0000", -1, -1},
    {"nothing", "", -1, -1},
};

static int told_by_get_key(const char *payload, enum etsi004_profile before)
{
    static struct octets octets;
    enum etsi004_profile profile = before;
    struct etsi004_frame frame;
    struct etsi004_get_key get_key;

    octets_of(&octets, payload);
    frame = (struct etsi004_frame){etsi004_version_of(before), ETSI004_GET_KEY, octets.data,
                                   octets.length};
    if (etsi004_get_key_parse(&frame, &profile, &get_key))
        return (int)profile;
    assert_int_equal(profile, before);
    return -1;
}

static void get_key_tells_its_profile_by_the_room_for_metadata(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(get_key_tellings); i++) {
        const struct telling *telling = &get_key_tellings[i];
        int after_w1 = told_by_get_key(telling->payload, ETSI004_W1);
        int after_w2 = told_by_get_key(telling->payload, ETSI004_W2);

        if (after_w1 != telling->told_after_w1 || after_w2 != telling->told_after_w2)
            fail_msg("%s: told %d and %d", telling->what, after_w1, after_w2);
    }
}

static bool accepts_open(const struct etsi004_frame *frame, enum etsi004_profile profile)
{
    struct etsi004_open open;

    return etsi004_open_parse(frame, &profile, &open);
}

static bool accepts_get_key(const struct etsi004_frame *frame, enum etsi004_profile profile)
{
    struct etsi004_get_key get_key;

    return etsi004_get_key_parse(frame, &profile, &get_key);
}

static bool accepts_close(const struct etsi004_frame *frame, enum etsi004_profile profile)
{
    struct key_id stream_id;

    (void)profile;
    return etsi004_close_parse(frame, &stream_id);
}

/* An OPEN_CONNECT of W1 that ends 16 octets behind its media type is one of W2, and a GET_KEY of
 * W2 without its room is one of W1. */
static void every_cut_of_a_request_is_refused(void **state)
{
    enum { W2_OPEN_BYTES = 83, W1_GET_KEY_BYTES = 24 };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(both_profiles); i++) {
        enum etsi004_profile profile = both_profiles[i];

        assert_cuts_refused(accepts_open, profile, ETSI004_OPEN_CONNECT, OPEN_W1 STREAM_ID,
                            W2_OPEN_BYTES);
        assert_cuts_refused(accepts_open, profile, ETSI004_OPEN_CONNECT, OPEN_W2 STREAM_ID, NO_CUT);
        assert_cuts_refused(accepts_get_key, profile, ETSI004_GET_KEY, GET_KEY_24, NO_CUT);
        assert_cuts_refused(accepts_get_key, profile, ETSI004_GET_KEY, GET_KEY_24 "00*1024",
                            W1_GET_KEY_BYTES);
        assert_cuts_refused(accepts_close, profile, ETSI004_CLOSE, STREAM_ID, NO_CUT);
    }
}

static void octets_behind_a_close_are_refused(void **state)
{
    (void)state;
    assert_false(accepts_text(accepts_close, ETSI004_W1, ETSI004_CLOSE, STREAM_ID "00"));
    assert_false(accepts_text(accepts_close, ETSI004_W2, ETSI004_CLOSE, STREAM_ID STREAM_ID));
}

static void texts_may_have_their_maximum_and_no_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(both_profiles); i++) {
        enum etsi004_profile profile = both_profiles[i];

        assert_true(accepts_text(accepts_open, profile, ETSI004_OPEN_CONNECT,
                                 "61*1024 00 62*1024 00" QOS_W2 "00*16"));
        assert_false(accepts_text(accepts_open, profile, ETSI004_OPEN_CONNECT,
                                  "61*1025 00 'server://b' 00" QOS_W2 "00*16"));
        assert_false(accepts_text(accepts_open, profile, ETSI004_OPEN_CONNECT,
                                  "'client://a' 00 62*1025 00" QOS_W2 "00*16"));
        assert_false(
            accepts_text(accepts_open, profile, ETSI004_OPEN_CONNECT, "61*16000" QOS_W1 "00*16"));
    }
}

/* To refuse what it cannot grant, a server has to read it. */
static void numbers_of_any_size_are_handed_on(void **state)
{
    static struct octets octets;
    struct etsi004_frame frame =
        frame_of(octets_of(&octets, "01000102 00000142" URIS "ffffffff fffffffe fffffffd fffffffc "
                                    "fffffffb fffffffa fffffff9 00*256 00*16"));
    enum etsi004_profile profile = ETSI004_W2;
    struct etsi004_open open;

    (void)state;
    assert_true(etsi004_open_parse(&frame, &profile, &open));
    assert_int_equal(open.qos.key_chunk_size_bytes, 0xffffffff);
    assert_int_equal(open.qos.max_bps, 0xfffffffe);
    assert_int_equal(open.qos.min_bps, 0xfffffffd);
    assert_int_equal(open.qos.jitter_bps, 0xfffffffc);
    assert_int_equal(open.qos.priority, 0xfffffffb);
    assert_int_equal(open.qos.timeout_ms, 0xfffffffa);
    assert_int_equal(open.qos.ttl_s, 0xfffffff9);
    assert_string_equal(open.qos.metadata_mimetype, "");
}

static bool open_is_writable(enum etsi004_profile profile, const struct etsi004_open *open)
{
    struct buf buf;
    bool ok;

    buf_init(&buf, ROOM);
    etsi004_open_put(&buf, profile, open);
    ok = !buf.failed;
    buf_free(&buf);
    return ok;
}

static void texts_without_nul_are_not_written(void **state)
{
    struct etsi004_open open;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(both_profiles); i++) {
        open = sample_open(&no_stream_id);
        assert_true(open_is_writable(both_profiles[i], &open));
        memset(open.source, 's', sizeof(open.source));
        assert_false(open_is_writable(both_profiles[i], &open));
        open = sample_open(&no_stream_id);
        memset(open.destination, 'd', sizeof(open.destination));
        assert_false(open_is_writable(both_profiles[i], &open));
        open = sample_open(&no_stream_id);
        memset(open.qos.metadata_mimetype, 'm', sizeof(open.qos.metadata_mimetype));
        assert_false(open_is_writable(both_profiles[i], &open));
        open.qos.metadata_mimetype[ETSI004_MIMETYPE_BYTES - 1] = '\0';
        assert_true(open_is_writable(both_profiles[i], &open));
    }
}

static void more_room_than_metadata_can_have_is_not_written_in_w2(void **state)
{
    struct etsi004_get_key get_key = {sample_stream_id, 0, ETSI004_METADATA_MAX_BYTES + 1};
    struct buf buf;

    (void)state;
    buf_init(&buf, ROOM);
    etsi004_get_key_put(&buf, ETSI004_W2, &get_key);
    assert_true(buf.failed);
    buf_free(&buf);
    get_key.metadata_bytes = UINT32_MAX;
    etsi004_get_key_put(&buf, ETSI004_W2, &get_key);
    assert_true(buf.failed);
    buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_connect_is_the_vector_in_both_directions),
        cmocka_unit_test(get_key_is_the_vector_in_both_directions),
        cmocka_unit_test(close_is_the_vector_in_both_directions),
        cmocka_unit_test(open_connect_tells_its_profile_by_its_length),
        cmocka_unit_test(get_key_tells_its_profile_by_the_room_for_metadata),
        cmocka_unit_test(every_cut_of_a_request_is_refused),
        cmocka_unit_test(octets_behind_a_close_are_refused),
        cmocka_unit_test(texts_may_have_their_maximum_and_no_more),
        cmocka_unit_test(numbers_of_any_size_are_handed_on),
        cmocka_unit_test(texts_without_nul_are_not_written),
        cmocka_unit_test(more_room_than_metadata_can_have_is_not_written_in_w2),
    };

    return RUN_TESTS(tests);
}
