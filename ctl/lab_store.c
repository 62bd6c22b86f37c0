/* SPDX-License-Identifier: Apache-2.0 */
/* The key files under which the key servers of a laboratory seal what they keep on the disk. */
#include <stdio.h>

#include <openssl/rand.h>

#include "ctl/file.h"
#include "ctl/lab.h"

enum { KEY_FILE_BYTES = 32 };

static bool write_key_file(const struct lab *lab, enum lab_kme kme, struct status *status)
{
    char path[PATH_MAX];
    struct buf key;
    uint8_t *octets;
    bool done;

    buf_init(&key, KEY_FILE_BYTES);
    octets = buf_reserve(&key, KEY_FILE_BYTES);
    done = octets != NULL && RAND_priv_bytes(octets, KEY_FILE_BYTES) == 1;
    if (done) {
        key.length = KEY_FILE_BYTES;
        done = lab_path(lab, path, status, "%s.store-key", lab_kme_name(kme)) &&
               file_create(path, 0600, &key, status);
    } else {
        status_fail(status, OUTCOME_INTERNAL, "OpenSSL has no random numbers for a key file");
    }
    buf_free(&key);
    return done;
}

bool lab_write_store_keys(const struct lab *lab, struct status *status)
{
    for (enum lab_kme kme = 0; kme < LAB_KME_COUNT; kme++)
        if (!write_key_file(lab, kme, status))
            return false;
    return true;
}
