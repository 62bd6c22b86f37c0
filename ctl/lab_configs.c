/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/lab.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/file.h"
#include "ctl/self.h"

enum { CONFIG_MAX_BYTES = 32768 };

/* One SAE, and where it belongs. */
struct sae {
    const char *name;
    const char *peer;
    const char *neighbour; /* another SAE at its key server, which has no openssl.cnf */
    enum lab_kme kme;
};

static const struct sae saes[LAB_KME_COUNT] = {
    {"alice", "bob", "dave", LAB_KME_A},
    {"bob", "alice", "carol", LAB_KME_B},
};

/* How an SAE reaches its key server. */
struct sae_api {
    const char *standard;
    const char *scheme;
    enum lab_port port;
    const char *initiator_does;
};

static const struct sae_api sae_apis[] = {
    [ENDPOINT_ETSI014] = {"014", "https", LAB_PORT_014, "reserves the key of"},
    [ENDPOINT_ETSI004] = {"004", "etsi004", LAB_PORT_004, "opens the key stream of"},
};

/* A key server that is started as root becomes whoever made the laboratory, whose files it has. */
static void put_user(struct buf *text)
{
    const struct passwd *account = getpwuid(geteuid());

    if (account != NULL)
        buf_put_format(text, "user = \"%s\";\n", account->pw_name);
}

static void put_kme_self(struct buf *text, const char *name)
{
    buf_put_format(text,
                   "# Key server %s of a laboratory; for qkd-kme --config.\n"
                   "kme_id = \"%s\";\n\n"
                   "# Who this key server is, and whom it trusts.\n"
                   "cert = \"pki/%s.pem\";\nkey = \"pki/%s.key\";\nca = \"pki/ca.pem\";\n\n"
                   "# What is logged, and who it runs as when root starts it.\n"
                   "log_level = \"info\";\n",
                   name, name, name, name);
    put_user(text);
    buf_put_text(text, "\n");
}

static void put_kme_services(struct buf *text, const struct lab *lab, enum lab_kme kme)
{
    buf_put_format(
        text,
        "# Key delivery to SAEs (ETSI GS QKD 014), HTTPS with client certificates.\n"
        "etsi014 = { listen = \"127.0.0.1:%u\"; };\n\n"
        "# The same by key streams (ETSI GS QKD 004), TLS with client certificates.\n"
        "etsi004 = { listen = \"127.0.0.1:%u\"; };\n\n"
        "# Health and metrics, plain HTTP; a loopback address only. qkdctl misbehave may\n"
        "# make this key server do things wrong: never so outside a laboratory.\n"
        "admin = { listen = \"127.0.0.1:%u\"; allow_misbehave = true; };\n\n"
        "# SAEs of this site: the subject CN of their certificates.\n"
        "saes = ( { id = \"%s\"; }, { id = \"%s\"; } );\n\n",
        lab_port(lab, kme, LAB_PORT_014), lab_port(lab, kme, LAB_PORT_004),
        lab_port(lab, kme, LAB_PORT_ADMIN), saes[kme].name, saes[kme].neighbour);
}

static void put_kme_link(struct buf *text, const struct lab *lab, const struct lab_choices *choices,
                         enum lab_kme kme)
{
    enum lab_kme other = kme == LAB_KME_A ? LAB_KME_B : LAB_KME_A;

    buf_put_format(text,
                   "# The link to the other key server. ITS QUANTUM CHANNEL IS SIMULATED.\n"
                   "link = {\n"
                   "  peer_kme_id = \"%s\";\n"
                   "  listen = \"127.0.0.1:%u\";\n"
                   "  connect = \"127.0.0.1:%u\";\n"
                   "  peer_saes = ( \"%s\", \"%s\" ); # SAEs reachable behind the peer\n"
                   "  simulated_rate_bps = %" PRId64 "; # bit/s of the simulated channel\n"
                   "  capacity_bits = %" PRId64 "; # of the key store\n"
                   "};\n",
                   lab_kme_name(other), lab_port(lab, kme, LAB_PORT_LINK),
                   lab_port(lab, other, LAB_PORT_LINK), saes[other].name, saes[other].neighbour,
                   choices->rate_bps, choices->capacity_bits);
}

static void put_kme(struct buf *text, const struct lab *lab, const struct lab_choices *choices,
                    enum lab_kme kme)
{
    const char *name = lab_kme_name(kme);

    put_kme_self(text, name);
    put_kme_services(text, lab, kme);
    buf_put_format(text,
                   "# Where key material survives a crash, sealed under the key file. Never bring\n"
                   "# back an old copy of the store.\n"
                   "store = { path = \"%s.db\"; key_file = \"%s.store-key\"; };\n\n",
                   name, name);
    put_kme_link(text, lab, choices, kme);
}

static void put_openssl_head(struct buf *text, const char *module)
{
    buf_put_text(text, "openssl_conf = init\n"
                       "# A mistake in this file is an error, not a silent fall-back.\n"
                       "config_diagnostics = 1\n\n"
                       "[init]\nproviders = providers\nssl_conf = ssl\n\n"
                       "[providers]\ndefault = default_provider\nqkd = qkd_provider\n\n"
                       "# Naming any provider switches off the implicit one, so it is named too.\n"
                       "[default_provider]\nactivate = 1\n\n"
                       "[qkd_provider]\nactivate = 1\n");
    if (module[0] != '\0')
        buf_put_format(text, "module = %s\n", module);
}

static void put_openssl(struct buf *text, const struct lab *lab, const struct lab_choices *choices,
                        const struct sae *sae, const char *module)
{
    const struct sae_api *api = &sae_apis[choices->api];

    buf_put_format(text, "# OpenSSL's configuration of SAE %s: OPENSSL_CONF=%s/%s/openssl.cnf\n\n",
                   sae->name, lab->dir, sae->name);
    put_openssl_head(text, module);
    buf_put_format(text,
                   "# Our SAE ID, and the other SAE's.\nsae = %s\npeer = %s\n"
                   "# Our key server (ETSI GS QKD %s), who we are there, and whom we trust there.\n"
                   "kme = %s://localhost:%u\n"
                   "cert = %s/pki/%s.pem\nkey = %s/pki/%s.key\nca = %s/pki/ca.pem\n",
                   sae->name, sae->peer, api->standard, api->scheme,
                   lab_port(lab, sae->kme, api->port), lab->dir, sae->name, lab->dir, sae->name,
                   lab->dir);
    buf_put_format(text,
                   "# Who %s a handshake that a client of ours begins.\n"
                   "initiator = %s\n"
                   "# The longest a handshake waits for key delivery, all calls together.\n"
                   "timeout-ms = 1000\n\n",
                   api->initiator_does, choices->initiator);
    buf_put_format(
        text,
        "[ssl]\nsystem_default = tls\n\n"
        "# For every TLS connection of programs that use this file. Only QKD groups:\n"
        "# no connection falls back to one without a QKD key. OpenSSL 3.0 to 3.3 ignore\n"
        "# the whole line when they do not know one of its names: for them keep only\n"
        "# qkd_x25519:qkd_secp256r1:qkd_secp384r1.\n"
        "[tls]\nMinProtocol = TLSv1.3\nGroups = %s\n",
        choices->groups);
}

static bool write_text(const struct lab *lab, const char *name, const struct buf *text,
                       struct status *status)
{
    char path[PATH_MAX];

    return lab_path(lab, path, status, "%s", name) && file_create(path, 0644, text, status);
}

static bool write_site(const struct lab *lab, const struct lab_choices *choices, enum lab_kme kme,
                       const char *module, struct status *status)
{
    const struct sae *sae = &saes[kme];
    char path[PATH_MAX], name[32];
    struct buf text;

    buf_init(&text, CONFIG_MAX_BYTES);
    put_kme(&text, lab, choices, kme);
    snprintf(name, sizeof(name), "%s.conf", lab_kme_name(kme));
    if (!write_text(lab, name, &text, status) || !lab_path(lab, path, status, "%s", sae->name))
        goto end;
    if (mkdir(path, 0755) != 0) {
        status_fail(status, OUTCOME_CONFIG, "cannot make %s: %s", path, strerror(errno));
        goto end;
    }
    buf_reset(&text);
    put_openssl(&text, lab, choices, sae, module);
    snprintf(name, sizeof(name), "%s/openssl.cnf", sae->name);
    write_text(lab, name, &text, status);
end:
    buf_free(&text);
    return status->outcome == OUTCOME_OK;
}

bool lab_write_configs(const struct lab *lab, const struct lab_choices *choices,
                       struct status *status)
{
    char module[PATH_MAX];

    /* Without it OpenSSL looks in OPENSSL_MODULES and then in its own folder. */
    if (!self_beside(module, "../lib/ossl-modules/qkd.so"))
        module[0] = '\0';
    for (enum lab_kme kme = 0; kme < LAB_KME_COUNT; kme++)
        if (!write_site(lab, choices, kme, module, status))
            return false;
    return true;
}
