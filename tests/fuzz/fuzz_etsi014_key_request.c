/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "etsi/etsi014.h"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("{}"),
    FUZZ_SEED("{\"number\":3,\"size\":1024}"),
    FUZZ_SEED("{\"number\":20,\"size\":512,\"additional_slave_SAE_IDs\":[\"ABCDEFG\",\"c\"],"
              "\"extension_mandatory\":[{\"abc_route_type\":\"direct\"},{\"abc_t\":10000}],"
              "\"extension_optional\":[{\"abc_max_age\":30000,\"deep\":[{\"x\":[1e2]}]}]}"),
    FUZZ_SEED("{\"extension_mandatory\":[{\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
              "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
              "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
              "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\":1}]}"),
};
FUZZ_SEED_COUNT;

enum { TEXT_MAX_BYTES = 4096 };

static const char message_member[] = "{\"message\":\"";

/* Whatever was asked, the answer can be written and has its message. */
static void check_error(const struct etsi014_error *error)
{
    struct buf buf;

    FUZZ_CHECK(error->http_status == 400 && error->message[0] != '\0');
    buf_init(&buf, TEXT_MAX_BYTES);
    etsi014_error_put(&buf, error);
    FUZZ_CHECK(!buf.failed && buf.length > strlen(message_member));
    FUZZ_CHECK(memcmp(buf.data, message_member, strlen(message_member)) == 0);
    buf_free(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct etsi014_key_request request;
    struct etsi014_error error;

    if (!etsi014_key_request_parse(data, size, &request, &error)) {
        check_error(&error);
        return 0;
    }
    FUZZ_CHECK(request.size_bits >= 0);
    FUZZ_CHECK(request.additional_slave_count <= size);
    FUZZ_CHECK(memchr(request.extension_mandatory, '\0', sizeof(request.extension_mandatory)) !=
               NULL);
    /* As a server refuses an extension: with its name in the details. */
    etsi014_refuse(&error, 400, "%s", etsi014_extension_mandatory_unsupported);
    snprintf(error.detail_name, sizeof(error.detail_name), "extension_mandatory_unsupported");
    snprintf(error.detail_text, sizeof(error.detail_text), "%s is not supported",
             request.extension_mandatory);
    check_error(&error);
    return 0;
}
