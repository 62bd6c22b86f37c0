/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <strings.h>

#include "base/base64.h"
#include "base/key_id.h"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("00112233-4455-6677-8899-aabbccddeeff"),
    FUZZ_SEED("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
    FUZZ_SEED("q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k="),
    FUZZ_SEED("Zg=="),
    FUZZ_SEED("Zm9v"),
};
FUZZ_SEED_COUNT;

/* One text for one value: what is accepted is what would be written. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[KEY_ID_TEXT_CHARS + 1];
    struct secret *secret = base64_decode((const char *)data, size);
    struct key_id id;
    struct buf buf;

    if (secret != NULL) {
        buf_init(&buf, size + 1);
        base64_put(&buf, secret->bytes, secret->size_bytes);
        FUZZ_CHECK(!buf.failed && buf.length == size && memcmp(buf.data, data, size) == 0);
        buf_free(&buf);
        secret_free(secret);
    }
    if (key_id_parse((const char *)data, size, &id)) {
        key_id_format(&id, text);
        FUZZ_CHECK(size == KEY_ID_TEXT_CHARS);
        FUZZ_CHECK(strncasecmp(text, (const char *)data, size) == 0);
    }
    return 0;
}
