/* SPDX-License-Identifier: Apache-2.0 */
/* A good file of the key server, and what becomes of it when one part is another. */
#ifndef QKD_TESTS_UNIT_CONFIG_FILE_H
#define QKD_TESTS_UNIT_CONFIG_FILE_H

#include <stdlib.h>
#include <unistd.h>

#include "kme/config.h"
#include "tests/unit/unit.h"

static const char good[] = "kme_id = \"kme-a\";\n"
                           "cert = \"pki/a.pem\"; key = \"/abs/a.key\"; ca = \"pki/ca.pem\";\n"
                           "etsi014 = { listen = \"127.0.0.1:1001\"; };\n"
                           "admin = { listen = \"127.0.0.1:1002\"; };\n"
                           "saes = ( { id = \"alice\"; }, { id = \"carol\"; cn = \"Carol\"; } );\n"
                           "link = { peer_kme_id = \"kme-b\"; listen = \"127.0.0.1:1003\";\n"
                           "  connect = \"[::1]:1004\"; peer_saes = ( \"bob\" );\n"
                           "};\n";

#define ETSI004(more) "etsi004 = { listen = \"127.0.0.1:1005\"; " more " };\n"
#define STORE(more) "store = { path = \"a.db\"; " more " };\n"
#define HEX32 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEX32_COLONS                                                                               \
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:"   \
    "EE:FF"

static char folder[] = "/tmp/qkd-config-XXXXXX";
static char path[sizeof(folder) + 16];

static inline int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/kme.conf", folder);
    return 0;
}

static inline int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static inline struct kme_config *load(const char *text, struct status *status)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return kme_config_load(path, status);
}

/* The good text with one part replaced. */
static inline struct kme_config *load_changed(const char *from, const char *to,
                                              struct status *status)
{
    const char *at = strstr(good, from);
    char text[4096];

    assert_non_null(at);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    return load(text, status);
}

static inline void assert_refused(const char *from, const char *to, int line, const char *says)
{
    struct status status = STATUS_INIT;
    char where[128];

    assert_null(load_changed(from, to, &status));
    assert_int_equal(status.outcome, OUTCOME_CONFIG);
    snprintf(where, sizeof(where), line > 0 ? "%s:%d: " : "%s: ", path, line);
    if (strstr(status.text, where) == NULL || strstr(status.text, says) == NULL)
        fail_msg("'%s' has not both '%s' and '%s'", status.text, where, says);
}

#endif
