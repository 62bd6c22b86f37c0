/* SPDX-License-Identifier: Apache-2.0 */
/* Keys for several SAEs: kme/names.h, held keys of kme/store.h, relayed ones of kme/link_codec.h.
 */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "kme/link_codec.h"
#include "kme/names.h"
#include "kme/store.h"

#define S INT64_C(1000000000)

enum { ROOM = 2 * LINK_FRAME_MAX_BYTES };

static void test_a_list_of_names_has_no_repetition_and_an_end(void **state)
{
    struct names names = {0};
    char name[] = "sae-a", too_long[ETSI014_ID_MAX_CHARS + 2];

    (void)state;
    memset(too_long, 'x', sizeof(too_long) - 1);
    too_long[sizeof(too_long) - 1] = '\0';
    assert_false(names_add(&names, ""));
    assert_false(names_add(&names, too_long));
    for (int i = 0; i < NAMES_MAX; i++) {
        name[4] = (char)('a' + i);
        assert_true(names_add(&names, name));
        assert_false(names_add(&names, name));
        assert_int_equal(names_find(names.text, names.bytes, name), i);
    }
    assert_false(names_add(&names, "one more"));
    assert_int_equal(names.count, NAMES_MAX);
    assert_int_equal(names_find(names.text, names.bytes, "sae-"), -1);
    assert_int_equal(names_find(names.text, names.bytes, "ae-a"), -1);
    assert_int_equal(names_find(names.text, 0, "sae-a"), -1);
}

static struct secret *key_of(int octet)
{
    struct secret *key = secret_new(32);

    assert_non_null(key);
    memset(key->bytes, octet, key->size_bytes);
    return key;
}

static struct relayed_key relayed_to(const char *const *names, size_t count)
{
    struct relayed_key relayed;

    memset(&relayed, 0, sizeof(relayed));
    memset(relayed.key_id.octets, 7, KEY_ID_BYTES);
    relayed.lifetime_s = 10;
    strcpy(relayed.initiator, "alice");
    for (size_t i = 0; i < count; i++)
        assert_true(names_add(&relayed.responders, names[i]));
    return relayed;
}

static bool hold(struct store *store, const struct relayed_key *relayed, int octet)
{
    struct status status = STATUS_INIT;
    uint64_t displaced_bits;

    return store_hold(store, relayed, key_of(octet), 0, &displaced_bits, &status);
}

static struct store *new_store(void)
{
    struct store *store = store_new(NULL, "kme-x");

    assert_non_null(store);
    return store;
}

static void test_each_responder_gets_the_key_once_and_the_last_takes_it(void **state)
{
    static const char *const names[] = {"bob", "carol", "dave"};
    const struct relayed_key relayed = relayed_to(names, COUNT_OF(names));
    struct store *store = new_store();
    struct secret *expected = key_of(5);

    (void)state;
    assert_true(hold(store, &relayed, 5));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct secret *key;

        assert_int_equal(store_look(store, &relayed.key_id, "eve", "alice", 0), CLAIM_UNAUTHORISED);
        assert_int_equal(store_look(store, &relayed.key_id, names[i], "eve", 0), CLAIM_UNKNOWN);
        assert_int_equal(store_look(store, &relayed.key_id, names[i], "alice", 0), CLAIM_READY);
        key = store_claim(store, &relayed.key_id, names[i]);
        assert_non_null(key);
        assert_true(secret_equal(key, expected));
        secret_free(key);
        assert_int_equal(store_look(store, &relayed.key_id, names[i], "alice", 0), CLAIM_UNKNOWN);
        assert_null(store_claim(store, &relayed.key_id, names[i]));
    }
    assert_int_equal(store_look(store, &relayed.key_id, "eve", "alice", 0), CLAIM_UNKNOWN);
    assert_int_equal(store_expire(store, 100 * S), 0);
    secret_free(expected);
    store_free(store);
}

static void test_what_some_have_not_claimed_is_wiped_at_its_time(void **state)
{
    static const char *const names[] = {"bob", "carol"};
    const struct relayed_key relayed = relayed_to(names, COUNT_OF(names));
    struct store *store = new_store();

    (void)state;
    assert_true(hold(store, &relayed, 5));
    secret_free(store_claim(store, &relayed.key_id, "carol"));
    assert_int_equal(store_look(store, &relayed.key_id, "bob", "alice", 10 * S), CLAIM_UNKNOWN);
    assert_int_equal(store_expire(store, 10 * S), 256);
    assert_null(store_claim(store, &relayed.key_id, "bob"));
    store_free(store);
}

static void test_a_relayed_key_does_not_replace_another(void **state)
{
    static const char *const names[] = {"bob"}, *const others[] = {"eve"};
    const struct relayed_key first = relayed_to(names, 1), second = relayed_to(others, 1);
    struct store *store = new_store();
    struct secret *key;

    (void)state;
    assert_true(hold(store, &first, 5));
    assert_false(hold(store, &second, 6));
    key = store_claim(store, &first.key_id, "bob");
    assert_non_null(key);
    assert_int_equal(key->bytes[0], 5);
    secret_free(key);
    store_free(store);
}

static const uint8_t relay_vector[] = {
    0,    0,    0,    119,  0x10, 0,    0,    0,    0,    0,    0,    0,    9,    0xa0, 0xa1, 0xa2,
    0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0,    0,    0x0e,
    0x10, 5,    'a',  'l',  'i',  'c',  'e',  2,    3,    'b',  'o',  'b',  5,    'c',  'a',  'r',
    'o',  'l',  0,    0,    0,    33,   0,    0,    0,    2,    0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5,
    0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5,
    0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06,
    0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16,
    0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x21};

static void fill(uint8_t *to, size_t length, uint8_t first)
{
    for (size_t i = 0; i < length; i++)
        to[i] = (uint8_t)(first + i);
}

static void make_sample(struct frame_relay *relay)
{
    static const char *const names[] = {"bob", "carol"};

    memset(relay, 0, sizeof(*relay));
    relay->sequence = 9;
    relay->key = relayed_to(names, COUNT_OF(names));
    fill(relay->key.key_id.octets, KEY_ID_BYTES, 0xa0);
    relay->key.lifetime_s = 3600;
    relay->pad.size_bytes = 33;
    relay->pad.block_count = 2;
    fill(relay->pad.blocks[0].octets, KEY_ID_BYTES, 0xb0);
    fill(relay->pad.blocks[1].octets, KEY_ID_BYTES, 0xc0);
    fill(relay->ciphertext, 33, 1);
}

static enum link_parse parse(const uint8_t *data, size_t length, struct frame *frame)
{
    struct status status = STATUS_INIT;
    size_t used;

    return link_parse(data, length, frame, &used, &status);
}

static void test_a_relay_is_the_vector_and_back(void **state)
{
    static struct frame_relay relay;
    static struct frame frame;
    struct buf buf;

    (void)state;
    make_sample(&relay);
    buf_init(&buf, ROOM);
    link_put_relay(&buf, &relay);
    assert_int_equal(buf.length, sizeof(relay_vector));
    assert_memory_equal(buf.data, relay_vector, sizeof(relay_vector));
    assert_int_equal(parse(buf.data, buf.length, &frame), LINK_PARSE_FRAME);
    assert_int_equal(frame.type, FRAME_RELAY);
    assert_int_equal(frame.u.relay.sequence, 9);
    assert_true(key_id_equal(&frame.u.relay.key.key_id, &relay.key.key_id));
    assert_int_equal(frame.u.relay.key.lifetime_s, 3600);
    assert_string_equal(frame.u.relay.key.initiator, "alice");
    assert_int_equal(frame.u.relay.key.responders.count, 2);
    assert_memory_equal(frame.u.relay.key.responders.text, "bob\0carol", 10);
    assert_int_equal(frame.u.relay.pad.size_bytes, 33);
    assert_true(key_id_equal(&frame.u.relay.pad.blocks[1], &relay.pad.blocks[1]));
    assert_memory_equal(frame.u.relay.ciphertext, relay.ciphertext, 33);
    buf_free(&buf);
}

static void test_a_largest_relay_fits_a_frame(void **state)
{
    static struct frame_relay relay;
    static struct frame frame;
    char name[ETSI014_ID_MAX_CHARS + 1];
    struct buf buf;

    (void)state;
    make_sample(&relay);
    memset(name, 'n', ETSI014_ID_MAX_CHARS);
    name[ETSI014_ID_MAX_CHARS] = '\0';
    strcpy(relay.key.initiator, name);
    memset(&relay.key.responders, 0, sizeof(relay.key.responders));
    for (int i = 0; i < NAMES_MAX; i++) {
        name[0] = (char)('a' + i);
        assert_true(names_add(&relay.key.responders, name));
    }
    relay.pad.size_bytes = SECRET_MAX_BYTES;
    relay.pad.block_count = KEY_MAX_BLOCKS;
    buf_init(&buf, ROOM);
    link_put_relay(&buf, &relay);
    assert_int_equal(parse(buf.data, buf.length, &frame), LINK_PARSE_FRAME);
    assert_memory_equal(&frame.u.relay.key.responders, &relay.key.responders,
                        sizeof(relay.key.responders));
    buf_free(&buf);
}

static void test_what_is_no_relay_is_refused(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {
        {3, 118}, /* an octet too few */
        {39, 0},  /* nobody to deliver to */
        {39, 3},  /* fewer names than it says */
        {33, 0},  /* nobody who asked */
        {35, 0},  /* a NUL in a name */
        {53, 0},  /* no octets */
        {53, 65}, /* more octets than blocks */
        {57, 1},  /* more octets than one block */
    };
    static struct frame frame;
    uint8_t changed[sizeof(relay_vector)];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        memcpy(changed, relay_vector, sizeof(changed));
        changed[changes[i].at] = changes[i].value;
        assert_int_equal(parse(changed, sizeof(changed), &frame), LINK_PARSE_BAD);
    }
    memcpy(changed, relay_vector, sizeof(changed));
    memcpy(changed + 44, "\3bob\1x", 6); /* a name twice; one octet is left over, too */
    assert_int_equal(parse(changed, sizeof(changed), &frame), LINK_PARSE_BAD);
}

/* Nothing beyond the input is read (the sanitizers see to it), and what is accepted is in range. */
static void test_mutations_of_every_octet_are_survived(void **state)
{
    static struct frame frame;
    uint8_t *copy = malloc(sizeof(relay_vector));

    (void)state;
    assert_non_null(copy);
    memcpy(copy, relay_vector, sizeof(relay_vector));
    for (size_t at = 0; at < sizeof(relay_vector); at++) {
        for (int value = 0; value < 256; value++) {
            copy[at] = (uint8_t)value;
            if (parse(copy, sizeof(relay_vector), &frame) != LINK_PARSE_FRAME ||
                frame.type != FRAME_RELAY)
                continue;
            assert_in_range(frame.u.relay.pad.size_bytes, 1, SECRET_MAX_BYTES);
            assert_int_equal(frame.u.relay.pad.block_count,
                             store_blocks_for(frame.u.relay.pad.size_bytes * 8));
            assert_in_range(frame.u.relay.key.responders.count, 1, NAMES_MAX);
        }
        copy[at] = relay_vector[at];
    }
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list_of_names_has_no_repetition_and_an_end),
        cmocka_unit_test(test_each_responder_gets_the_key_once_and_the_last_takes_it),
        cmocka_unit_test(test_what_some_have_not_claimed_is_wiped_at_its_time),
        cmocka_unit_test(test_a_relayed_key_does_not_replace_another),
        cmocka_unit_test(test_a_relay_is_the_vector_and_back),
        cmocka_unit_test(test_a_largest_relay_fits_a_frame),
        cmocka_unit_test(test_what_is_no_relay_is_refused),
        cmocka_unit_test(test_mutations_of_every_octet_are_survived),
    };

    return RUN_TESTS(tests);
}
