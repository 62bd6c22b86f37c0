/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/doctor_cert.h"
#include "ctl/doctor_steps.h"
#include "ctl/openssl_cnf.h"

/* What to do about a fault, by the words with which its sentence begins; the first that fits. */
static const struct {
    const char *begin;
    const char *cure;
} cures[] = {
    {"kme-groups", "remove the line: kme-groups"},
    {"kme-require-pq = yes, and", "remove the line: kme-groups"},
    {"kme-require-pq = yes:", "remove the line: kme-require-pq"},
    {"kme-require-pq", "write the line as: kme-require-pq = yes"},
    {"kme is not set", "add the line: kme = https://HOST:PORT (ETSI 014) or etsi004://HOST:PORT"},
    {"kme", "write the line as: kme = https://HOST:PORT (ETSI 014) or etsi004://HOST:PORT"},
    {"sae is not set", "add the line with the SAE ID that your key server knows you by: sae = ID"},
    {"peer is not set", "add the line with the SAE ID of the other end: peer = ID"},
    {"sae and peer", "write the SAE ID of the other end: peer = ID"},
    {"sae", "write the SAE ID that your key server knows you by: sae = ID"},
    {"peer", "write the SAE ID of the other end: peer = ID"},
    {"initiator", "write the line as: initiator = client"},
    {"timeout-ms", "write the line as: timeout-ms = 1000"},
    {"pool-max-age-s", "write the line as: pool-max-age-s = 30"},
    {"pool", "write the line as: pool = 1"},
    {"max-keys-per-second", "write the line as: max-keys-per-second = 1000"},
    {"max-keys-burst", "write the line as: max-keys-burst = 1000"},
    {"etsi004-dialect", "write the line as: etsi004-dialect = w1"},
    {"source-uri", "remove the line, and it is sae:// and the SAE ID: source-uri"},
    {"destination-uri", "remove the line, and it is sae:// and the SAE ID: destination-uri"},
    {"cert", "let the line name our certificate for the key server, which this user can read: "
             "cert = FILE.pem"},
    {"key", "let the line name the private key of our certificate, which this user can read: "
            "key = FILE.key"},
    {"ca", "let the line name the certificate of the key server's CA, which this user can read: "
           "ca = FILE.pem"},
    {"", "mend the line"},
};

static const char *cure_of(const char *fault)
{
    size_t i = 0;

    while (strncmp(cures[i].begin, fault, strlen(cures[i].begin)) != 0)
        i++;
    return cures[i].cure;
}

/* OpenSSL hands a provider only what it asks for, so nobody else sees a name that is none. */
static void check_name(struct doctor *doctor, const CONF_VALUE *row)
{
    const char *nearest;
    char cure[DOCTOR_CURE_BYTES];

    if (openssl_cnf_knows(row->name))
        return;
    nearest = openssl_cnf_nearest(row->name);
    if (nearest != NULL && doctor_conf(doctor, row->section, nearest) == NULL)
        doctor_cure(cure, "in section [%s] replace '%s' by: %s = %s", row->section, row->name,
                    nearest, row->value);
    else
        doctor_cure(cure, "in section [%s] remove the line: %s", row->section, row->name);
    doctor_wrong(doctor, cure, "section [%s] has an unknown setting '%s', which has no effect%s%s",
                 row->section, row->name, nearest != NULL ? "; probably meant: " : "",
                 nearest != NULL ? nearest : "");
}

static bool take_values(struct doctor *doctor)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        const char *value =
            doctor_conf(doctor, doctor->provider_section, setting_text((enum setting_name)i));

        doctor->values[i] = value != NULL ? strdup(value) : NULL;
        if (value != NULL && doctor->values[i] == NULL)
            return false;
    }
    doctor->settings = settings_new((const char *const *)doctor->values);
    return doctor->settings != NULL;
}

/* A key server usually knows an SAE by the name in its certificate. */
static bool say_missing_sae(struct doctor *doctor, const char *fault)
{
    char name[DOCTOR_NAME_BYTES], cure[DOCTOR_CURE_BYTES];
    const char *file = doctor->values[SETTING_CERT];

    if (strncmp(fault, "sae is not set", 14) != 0 || file == NULL ||
        !doctor_cert_file_name(file, name, sizeof(name)))
        return false;
    doctor_wrong(doctor,
                 doctor_cure(cure, "put this line into section [%s]: sae = %s",
                             doctor->provider_section, name),
                 "%s; the certificate '%s' is that of '%s'", fault, file, name);
    return true;
}

static void say_fault(struct doctor *doctor, const char *fault)
{
    char cure[DOCTOR_CURE_BYTES];

    if (!say_missing_sae(doctor, fault))
        doctor_wrong(
            doctor,
            doctor_cure(cure, "in section [%s] %s", doctor->provider_section, cure_of(fault)), "%s",
            fault);
    settings_free(doctor->settings);
    doctor->settings = NULL;
}

/* Those of the way to the key server are OpenSSL's to judge. */
static bool check_values(struct doctor *doctor)
{
    const struct status *fault = settings_fault(doctor->settings);
    struct status status = STATUS_INIT;

    if (fault->outcome != OUTCOME_OK) {
        say_fault(doctor, fault->text);
        return false;
    }
    if (endpoint_tls(settings_endpoint(doctor->settings), &status) == NULL &&
        strncmp(status.text, "kme-", 4) == 0) {
        say_fault(doctor, status.text);
        return false;
    }
    return true;
}

/* A time budget in which no answer over a network arrives, or that a program would notice. */
static void check_timeout(struct doctor *doctor)
{
    enum { SHORT_MS = 100, LONG_MS = 10000 };
    int timeout_ms = settings_timeout_ms(doctor->settings);
    char cure[DOCTOR_CURE_BYTES];

    doctor_cure(cure, "in section [%s] write the line as: timeout-ms = 1000",
                doctor->provider_section);
    if (timeout_ms < SHORT_MS)
        doctor_warn(doctor, cure,
                    "timeout-ms = %d leaves little time for a new connection to the key server, "
                    "and handshakes will fail now and then",
                    timeout_ms);
    else if (timeout_ms > LONG_MS)
        doctor_warn(doctor, cure,
                    "timeout-ms = %d lets a process wait that long when the key server hangs",
                    timeout_ms);
}

void doctor_settings(struct doctor *doctor)
{
    STACK_OF(CONF_VALUE) *rows = doctor_conf_section(doctor, doctor->provider_section);

    for (int i = 0; i < sk_CONF_VALUE_num(rows); i++)
        check_name(doctor, sk_CONF_VALUE_value(rows, i));
    if (!take_values(doctor)) {
        doctor_wrong(doctor, "try again", "out of memory");
        return;
    }
    if (!check_values(doctor))
        return;
    doctor_ok(doctor, "SAE %s with peer %s at %s, initiator %s, timeout %d ms",
              settings_sae(doctor->settings), settings_peer(doctor->settings),
              settings_kme(doctor->settings),
              settings_initiator(doctor->settings) == INITIATOR_CLIENT ? "client" : "server",
              settings_timeout_ms(doctor->settings));
    check_timeout(doctor);
}
