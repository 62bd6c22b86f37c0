/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/kme_options.h"

#include <stdlib.h>

#include "ctl/openssl_cnf.h"

void kme_options_rows(struct kme_options *options, struct option_row rows[static KME_OPTION_COUNT])
{
    struct option_row *row = rows;

    *row++ = (struct option_row){"config", OPTION_TEXT, {.text = &options->config}, 0, 0};
    for (int i = 0; i < SETTING_COUNT; i++)
        if (i != SETTING_INITIATOR)
            *row++ = (struct option_row){setting_text((enum setting_name)i),
                                         OPTION_TEXT,
                                         {.text = &options->given[i]},
                                         0,
                                         0};
}

/* The file to read; NULL when the options alone have to do. One key server's URL with the identity
 * for another, out of the environment, would surprise. */
static const char *config_file(const struct kme_options *options)
{
    if (options->config != NULL)
        return options->config;
    return options->given[SETTING_KME] == NULL ? getenv("OPENSSL_CONF") : NULL;
}

static bool merge(const struct kme_options *options, struct kme_session *session,
                  const char *values[static SETTING_COUNT], struct status *status)
{
    const char *file = config_file(options);

    if (file != NULL && !openssl_cnf_read(file, session->from_file, status))
        return false;
    for (int i = 0; i < SETTING_COUNT; i++)
        values[i] = options->given[i] != NULL ? options->given[i] : session->from_file[i];
    /* It is for handshakes, and belongs to the key server of the file. */
    if (options->given[SETTING_KME] != NULL)
        values[SETTING_INITIATOR] = NULL;
    return true;
}

static bool make_client(struct kme_session *session, struct status *status)
{
    const struct status *fault = settings_fault(session->settings);
    struct endpoint *endpoint;

    if (settings_absent(session->settings))
        return status_fail(status, OUTCOME_CONFIG,
                           "no key server is known: give --config FILE, set OPENSSL_CONF, or give "
                           "--kme and the other settings");
    if (fault->outcome != OUTCOME_OK)
        return status_fail(status, fault->outcome, "%s", fault->text);
    endpoint = settings_endpoint(session->settings);
    switch (settings_api(session->settings)) {
    case ENDPOINT_ETSI014:
        session->client014 = client014_new(endpoint, NULL);
        break;
    case ENDPOINT_ETSI004:
        session->client004 =
            client004_new(endpoint, settings_etsi004_dialect(session->settings), NULL);
        break;
    }
    return session->client014 != NULL || session->client004 != NULL ||
           status_fail(status, OUTCOME_INTERNAL, "out of memory");
}

bool kme_session_open(const struct kme_options *options, struct kme_session *session,
                      struct status *status)
{
    const char *values[SETTING_COUNT];

    *session = (struct kme_session){0};
    if (merge(options, session, values, status)) {
        session->settings = settings_new(values);
        if (session->settings == NULL)
            status_fail(status, OUTCOME_INTERNAL, "out of memory");
        else if (make_client(session, status))
            session->deadline = deadline_in_ms(settings_timeout_ms(session->settings));
    }
    if (status->outcome != OUTCOME_OK)
        kme_session_close(session);
    return status->outcome == OUTCOME_OK;
}

void kme_session_close(struct kme_session *session)
{
    client014_free(session->client014);
    client004_free(session->client004);
    settings_free(session->settings);
    openssl_cnf_free(session->from_file);
    *session = (struct kme_session){0};
}
