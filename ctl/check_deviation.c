/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check.h"

/* What servers in the field are known to do otherwise than the standard, or than our list where
 * the standard is silent. The numbers are those of docs/check-kme.md. */
static const char *const texts[CHECK_DEVIATIONS_MAX] = {
    [1] = "takes POST only",
    [5] = "wants a slash at the end of a path",
    [6] = "takes key IDs that are bare strings",
    [8] = "refuses unknown JSON members",
    [9] = "spells names of members in its own way",
    [10] = "leaves members of the Status object out, or sends zeros",
    [11] = "puts its error text into \"detail\" instead of \"message\"",
    [12] = "its errors are not JSON",
    [13] = "\"details\" is an object, not an array",
    [14] = "sends a body with 401",
    [15] = "says with another code than 503 that it has not enough key",
    [16] = "delivers fewer keys than asked with 200",
    [17] = "answers number 0 with 200",
    [18] = "takes broken JSON for no JSON",
    [19] = "has a default key size of less than 128 bits",
    [21] = "takes sizes that are not multiples of 8",
    [22] = "delivers keys in another order than asked",
    [23] = "does not refuse an ID that is asked for twice with 400",
    [24] = "does not answer an unknown SAE with 400",
    [25] = "does not answer an SAE that has no right to a key with 401",
    [28] = "its key IDs are not random",
    [30] = "closes the connection after each answer",
    [31] = "delivers to the responder later than to the initiator",
    [33] = "has no limit for the size of a body",
};

const char *check_deviation_text(unsigned number)
{
    return number < CHECK_DEVIATIONS_MAX ? texts[number] : NULL;
}
