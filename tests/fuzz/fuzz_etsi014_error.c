/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "etsi/etsi014.h"

/* The first octet chooses method and code, the rest is the body. */
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("\x09{\"message\":\"one or more keys specified are not found on KME\"}"),
    FUZZ_SEED("\x01{\"message\":\"Not enough key material available\",\"details\":[{\"a\":1}]}"),
    FUZZ_SEED("\x0a{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"not a valid dict\"}]}"),
    FUZZ_SEED("\x03{\"detail\":\"Unknown SAE\"}"),
    FUZZ_SEED("\x04key pool empty"),
    FUZZ_SEED("\x05 \r\n<html><body>502</body></html>"),
    FUZZ_SEED("\x02"),
};
FUZZ_SEED_COUNT;

static const int codes[] = {200, 400, 401, 403, 503, 404, 422, 500};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char message[ETSI014_MESSAGE_MAX_CHARS + 1];
    enum etsi014_refusal refusal;
    enum etsi014_method method;
    int code;

    if (size == 0)
        return 0;
    code = codes[data[0] % 8];
    method = (enum etsi014_method)(data[0] / 8 % 3);
    memset(message, 0x7f, sizeof(message));
    refusal = etsi014_refusal_classify(method, code, data + 1, size - 1, message);
    FUZZ_CHECK(memchr(message, '\0', sizeof(message)) != NULL);
    FUZZ_CHECK(refusal >= ETSI014_REFUSED_NOT_FOUND && refusal <= ETSI014_REFUSED_SERVER);
    if (code == 401 || code == 403)
        FUZZ_CHECK(refusal == ETSI014_REFUSED_UNAUTHORISED);
    if (code == 503)
        FUZZ_CHECK(refusal == ETSI014_REFUSED_EXHAUSTED);
    if (code == 500 || code == 200)
        FUZZ_CHECK(refusal == ETSI014_REFUSED_SERVER);
    return 0;
}
