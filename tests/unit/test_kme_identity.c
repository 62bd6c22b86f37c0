/* SPDX-License-Identifier: Apache-2.0 */
/* kme/identity.h and kme/sae_rules.h: which names of a certificate count, and whose it is. */
#include "tests/unit/unit.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "kme/identity.h"
#include "kme/sae_rules.h"

static X509 *new_certificate(void)
{
    X509 *certificate = X509_new();
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

    assert_non_null(certificate);
    assert_non_null(key);
    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600));
    assert_int_not_equal(X509_sign(certificate, key, NULL), 0);
    EVP_PKEY_free(key);
    return certificate;
}

static void add_cn(X509 *certificate, const char *name, int length)
{
    X509_NAME *subject = X509_NAME_dup(X509_get_subject_name(certificate));

    assert_non_null(subject);
    assert_int_equal(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                                (const unsigned char *)name, length, -1, 0),
                     1);
    assert_int_equal(X509_set_subject_name(certificate, subject), 1);
    X509_NAME_free(subject);
}

static void push_name(GENERAL_NAMES *names, int type, const char *text, int length)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();

    assert_non_null(name);
    assert_non_null(value);
    assert_int_equal(ASN1_STRING_set(value, text, length), 1);
    GENERAL_NAME_set0_value(name, type, value);
    assert_true(sk_GENERAL_NAME_push(names, name) > 0);
}

/* Ends the list, and signs nothing again: the identity does not verify. */
static void set_names(X509 *certificate, GENERAL_NAMES *names)
{
    assert_int_equal(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0), 1);
    GENERAL_NAMES_free(names);
}

/* Frees the certificate. */
static struct identity *identify(X509 *certificate)
{
    const char *why = NULL;
    struct identity *identity = identity_of(certificate, &why);

    assert_non_null(why);
    X509_free(certificate);
    return identity;
}

static void test_all_names_of_a_certificate_count(void **state)
{
    X509 *certificate = new_certificate();
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    struct identity *identity;

    (void)state;
    add_cn(certificate, "alice", -1);
    push_name(names, GEN_URI, "urn:sae:alice", 13);
    push_name(names, GEN_DNS, "Alice.Example", 13);
    push_name(names, GEN_EMAIL, "bob@example", 11);
    set_names(certificate, names);
    identity = identify(certificate);
    assert_non_null(identity);
    assert_string_equal(identity_text(identity), "alice");
    assert_true(identity_has(identity, IDENTITY_CN, "alice"));
    assert_false(identity_has(identity, IDENTITY_CN, "Alice"));
    assert_true(identity_has(identity, IDENTITY_SAN_URI, "urn:sae:alice"));
    assert_false(identity_has(identity, IDENTITY_SAN_URI, "URN:sae:alice"));
    assert_true(identity_has(identity, IDENTITY_SAN_DNS, "alice.example"));
    assert_false(identity_has(identity, IDENTITY_SAN_DNS, "example"));
    assert_false(identity_has(identity, IDENTITY_SAN_DNS, "urn:sae:alice"));
    assert_false(identity_has(identity, IDENTITY_SAN_URI, "bob@example"));
    assert_false(identity_has(identity, IDENTITY_CN, "urn:sae:alice"));
    identity_free(identity);
}

static void test_two_common_names_are_as_good_as_none(void **state)
{
    X509 *certificate = new_certificate();
    struct identity *identity;

    (void)state;
    add_cn(certificate, "alice", -1);
    add_cn(certificate, "bob", -1);
    identity = identify(certificate);
    assert_non_null(identity);
    assert_string_equal(identity_text(identity), "?");
    assert_false(identity_has(identity, IDENTITY_CN, "alice"));
    assert_false(identity_has(identity, IDENTITY_CN, "bob"));
    identity_free(identity);
}

static void test_nobody_has_no_name(void **state)
{
    static const uint8_t zeros[IDENTITY_FINGERPRINT_BYTES];
    const char *why = NULL;

    (void)state;
    assert_null(identity_read(NULL, &why));
    assert_non_null(why);
    assert_string_equal(identity_text(NULL), "?");
    assert_false(identity_has(NULL, IDENTITY_CN, ""));
    assert_false(identity_has_fingerprint(NULL, zeros));
    identity_free(NULL);
}

static void test_a_name_with_a_nul_or_too_long_refuses_the_certificate(void **state)
{
    static const int types[] = {GEN_URI, GEN_DNS};
    char longest[ETSI014_ID_MAX_CHARS + 1];
    X509 *certificate = new_certificate();

    (void)state;
    memset(longest, 'x', sizeof(longest));
    add_cn(certificate, "alice\0.example", 14);
    assert_null(identify(certificate));
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        static const struct {
            const char *text;
            int length;
        } bad[] = {{"a\0b", 3}, {"", 0}, {NULL, ETSI014_ID_MAX_CHARS + 1}};

        for (size_t j = 0; j < COUNT_OF(bad); j++) {
            GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();

            certificate = new_certificate();
            add_cn(certificate, "alice", -1);
            push_name(names, types[i], bad[j].text != NULL ? bad[j].text : longest, bad[j].length);
            set_names(certificate, names);
            assert_null(identify(certificate));
        }
    }
}

static struct identity *with_names(int count)
{
    X509 *certificate = new_certificate();
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();

    add_cn(certificate, "alice", -1);
    for (int i = 0; i < count; i++)
        push_name(names, i % 2 == 0 ? GEN_URI : GEN_DNS, "one", 3);
    set_names(certificate, names);
    return identify(certificate);
}

static void test_names_are_bounded_in_number(void **state)
{
    struct identity *identity = with_names(IDENTITY_SANS_MAX);

    (void)state;
    assert_non_null(identity);
    identity_free(identity);
    assert_null(with_names(IDENTITY_SANS_MAX + 1));
}

static void test_alternative_names_that_are_no_der_refuse_the_certificate(void **state)
{
    static const unsigned char broken[] = {0x30, 0x05, 0x86, 0x0a, 'u', 'r', 'n'};
    X509 *certificate = new_certificate();
    ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension;

    (void)state;
    add_cn(certificate, "alice", -1);
    assert_int_equal(ASN1_OCTET_STRING_set(octets, broken, sizeof(broken)), 1);
    extension = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, octets);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(octets);
    assert_null(identify(certificate));
}

/* Four SAEs, each known by a rule of another kind. */
struct world {
    struct config_sae saes[4];
    struct config_fingerprint fingerprint;
    struct kme_config config;
};

static char cn_rule[] = "alice", uri_rule[] = "urn:sae:bob", dns_rule[] = "carol.example",
            *cns[] = {cn_rule}, *uris[] = {uri_rule}, *dnss[] = {dns_rule};

static void make_world(struct world *world, const uint8_t *fingerprint)
{
    static char ids[4][8] = {"alice", "bob", "carol", "dave"};

    memset(world, 0, sizeof(*world));
    for (size_t i = 0; i < COUNT_OF(world->saes); i++)
        world->saes[i].id = ids[i];
    world->saes[0].cns = (struct config_names){cns, 1};
    world->saes[1].san_uris = (struct config_names){uris, 1};
    world->saes[2].san_dnss = (struct config_names){dnss, 1};
    if (fingerprint != NULL)
        memcpy(world->fingerprint.octets, fingerprint, IDENTITY_FINGERPRINT_BYTES);
    world->saes[3].fingerprints = (struct config_fingerprints){&world->fingerprint, 1};
    world->config.saes = (struct config_saes){world->saes, COUNT_OF(world->saes)};
}

/* A certificate with these names, and whose it is: an SAE ID, or why not. */
static const char *owner_of(const char *cn, const char *uri, const char *dns, bool is_known,
                            char why[static SAE_RULES_WHY_BYTES])
{
    static struct world world; /* its strings are returned */
    X509 *certificate = new_certificate();
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    unsigned char fingerprint[EVP_MAX_MD_SIZE];
    unsigned length;
    struct identity *identity;
    const char *sae;

    if (cn != NULL)
        add_cn(certificate, cn, -1);
    if (uri != NULL)
        push_name(names, GEN_URI, uri, (int)strlen(uri));
    if (dns != NULL)
        push_name(names, GEN_DNS, dns, (int)strlen(dns));
    set_names(certificate, names);
    assert_int_equal(X509_digest(certificate, EVP_sha256(), fingerprint, &length), 1);
    make_world(&world, is_known ? fingerprint : NULL);
    identity = identify(certificate);
    assert_non_null(identity);
    sae = sae_rules_find(&world.config, identity, why);
    identity_free(identity);
    return sae != NULL ? sae : why;
}

static void test_each_kind_of_rule_finds_its_sae(void **state)
{
    char why[SAE_RULES_WHY_BYTES];

    (void)state;
    assert_string_equal(owner_of("alice", NULL, NULL, false, why), "alice");
    assert_string_equal(owner_of("somebody", "urn:sae:bob", NULL, false, why), "bob");
    assert_string_equal(owner_of(NULL, NULL, "CAROL.example", false, why), "carol");
    assert_string_equal(owner_of("somebody", "urn:x", "x.example", true, why), "dave");
    assert_string_equal(owner_of("bob", "alice", "dave", false, why), "which is no SAE here");
    assert_string_equal(owner_of(NULL, NULL, "x.carol.example", false, why),
                        "which is no SAE here");
}

static void test_a_certificate_that_fits_two_saes_is_nobodys(void **state)
{
    char why[SAE_RULES_WHY_BYTES];

    (void)state;
    assert_string_equal(owner_of("alice", "urn:sae:bob", NULL, false, why),
                        "which fits 'alice' by cn and 'bob' by san_uri");
    assert_string_equal(owner_of(NULL, NULL, "carol.example", true, why),
                        "which fits 'carol' by san_dns and 'dave' by fingerprint");
}

static void test_a_peer_is_known_by_its_name_or_by_its_fingerprint_alone(void **state)
{
    static char kme_b[] = "kme-b";
    struct config_link link = {.peer_kme_id = kme_b};
    struct config_fingerprint fingerprint;
    X509 *certificate = new_certificate();
    struct identity *identity;
    unsigned length;

    (void)state;
    add_cn(certificate, "kme-b", -1);
    assert_int_equal(X509_digest(certificate, EVP_sha256(), fingerprint.octets, &length), 1);
    identity = identify(certificate);
    assert_true(sae_rules_is_peer(&link, identity));
    assert_false(sae_rules_is_peer(&link, NULL));
    link.peer_fingerprints = (struct config_fingerprints){&fingerprint, 1};
    assert_true(sae_rules_is_peer(&link, identity));
    fingerprint.octets[31] ^= 1;
    assert_false(sae_rules_is_peer(&link, identity));
    identity_free(identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_names_of_a_certificate_count),
        cmocka_unit_test(test_two_common_names_are_as_good_as_none),
        cmocka_unit_test(test_nobody_has_no_name),
        cmocka_unit_test(test_a_name_with_a_nul_or_too_long_refuses_the_certificate),
        cmocka_unit_test(test_names_are_bounded_in_number),
        cmocka_unit_test(test_alternative_names_that_are_no_der_refuse_the_certificate),
        cmocka_unit_test(test_each_kind_of_rule_finds_its_sae),
        cmocka_unit_test(test_a_certificate_that_fits_two_saes_is_nobodys),
        cmocka_unit_test(test_a_peer_is_known_by_its_name_or_by_its_fingerprint_alone),
    };

    return RUN_TESTS(tests);
}
