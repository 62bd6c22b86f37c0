/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz_etsi004.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A buf has room to write to; none of this writes. */
    uint8_t *octets = malloc(size > 0 ? size : 1);

    if (octets == NULL)
        return 0;
    memcpy(octets, data, size);
    check_frame(octets, size);
    free(octets);
    return 0;
}
