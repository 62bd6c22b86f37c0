/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "net/endpoint.h"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("https://kme-a:8443"),
    FUZZ_SEED("https://[2001:db8::7]:8443/"),
    FUZZ_SEED("etsi004://127.0.0.1"),
    FUZZ_SEED("https://kme-a/"),
};
FUZZ_SEED_COUNT;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct endpoint_address address;
    struct status status = STATUS_INIT;
    char *url = malloc(size + 1);
    long port;

    if (url == NULL)
        return 0;
    memcpy(url, data, size);
    url[size] = '\0';
    if (endpoint_address_parse(url, &address, &status)) {
        FUZZ_CHECK(address.host[0] != '\0' && strlen(address.host) <= ENDPOINT_HOST_MAX_CHARS);
        FUZZ_CHECK(strpbrk(address.host, "/@?# \t\r\n[]") == NULL);
        FUZZ_CHECK(strspn(address.port, "0123456789") == strlen(address.port));
        port = strtol(address.port, NULL, 10);
        FUZZ_CHECK(port >= 1 && port <= 65535);
    } else {
        FUZZ_CHECK(status.outcome == OUTCOME_CONFIG && status.text[0] != '\0');
    }
    free(url);
    return 0;
}
