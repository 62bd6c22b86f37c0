/* SPDX-License-Identifier: Apache-2.0 */
#include "provider/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "provider/clash.h"
#include "provider/configuration.h"
#include "provider/major.h"

enum { AVAILABLE_KNOWN = 1 << 30 };

_Static_assert(GROUP_COUNT <= 30, "one bit for each group beside the one that says they are known");

static bool find_core(struct context *context, const OSSL_CORE_HANDLE *handle,
                      const OSSL_DISPATCH *core)
{
    context->errors.handle = handle;
    for (; core->function_id != 0; core++) {
        switch (core->function_id) {
        case OSSL_FUNC_CORE_NEW_ERROR:
            context->errors.new_error = OSSL_FUNC_core_new_error(core);
            break;
        case OSSL_FUNC_CORE_SET_ERROR_DEBUG:
            context->errors.set_error_debug = OSSL_FUNC_core_set_error_debug(core);
            break;
        case OSSL_FUNC_CORE_VSET_ERROR:
            context->errors.vset_error = OSSL_FUNC_core_vset_error(core);
            break;
        default:
            break;
        }
    }
    return context->errors.new_error != NULL && context->errors.set_error_debug != NULL &&
           context->errors.vset_error != NULL;
}

/* Inner algorithms come from any other provider, never from us: our algorithms have this property
 * whatever name we were activated under. */
static bool make_inner_library(struct context *context, const OSSL_DISPATCH *core)
{
    context->inner.context = OSSL_LIB_CTX_new_child(context->errors.handle, core);
    context->inner.properties = "provider!=qkd";
    return context->inner.context != NULL;
}

/* A word about logging that went wrong has no other place to go than standard error. */
static struct log *open_log(void)
{
    const char *spec = secure_getenv("QKD_LOG");
    struct status status = STATUS_INIT;
    struct log *log;

    if (spec == NULL || *spec == '\0')
        return NULL;
    log = log_open(spec, "qkd", &status);
    if (log == NULL)
        fprintf(stderr, "qkd provider: QKD_LOG: %s\n", status.text);
    return log;
}

/* The reason is OpenSSL's own: ours are not registered when the provider does not load. */
static bool check_major(const struct context *context, const OSSL_DISPATCH *core)
{
    struct status status = STATUS_INIT;

    if (major_fits(context->errors.handle, core, &status))
        return true;
    log_line(context->log, LOG_LEVEL_ERROR, "not loaded: %s", status.text);
    RAISE(&context->errors, ERR_PACK(ERR_LIB_PROV, 0, ERR_R_INIT_FAIL), "%s", status.text);
    return false;
}

static void note_fault(struct context *context)
{
    if (context->fault.outcome != OUTCOME_OK)
        log_line(context->log, LOG_LEVEL_ERROR, "every handshake will fail: %s",
                 context->fault.text);
    else
        log_line(context->log, LOG_LEVEL_INFO, "loaded version %s, sae=%s peer=%s kme=%s",
                 QKD_VERSION, settings_sae(context->settings), settings_peer(context->settings),
                 settings_kme(context->settings));
}

static bool configure(struct context *context, const struct configuration *configuration)
{
    context->settings = settings_new(configuration->settings);
    if (context->settings == NULL)
        return false;
    context->fault = *settings_fault(context->settings);
    configuration_code_points(configuration, context->code_points, &context->fault);
    if (context->fault.outcome == OUTCOME_OK) {
        context->source = source_new(context->settings, context->log);
        if (context->source == NULL)
            return false;
    }
    context->absent =
        settings_absent(context->settings) && configuration_has_no_code_point(configuration);
    if (!context->absent)
        note_fault(context);
    return true;
}

struct context *context_new(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core)
{
    struct context *context = OPENSSL_zalloc(sizeof(*context));
    struct configuration configuration;

    if (context == NULL)
        return NULL;
    atomic_init(&context->available, 0);
    context->log = open_log();
    if (find_core(context, handle, core) && check_major(context, core) &&
        configuration_read(handle, core, &configuration) && make_inner_library(context, core)) {
        context->name = configuration.provider_name;
        if (configure(context, &configuration))
            return context;
    }
    context_free(context);
    return NULL;
}

void context_free(struct context *context)
{
    if (context == NULL)
        return;
    source_free(context->source);
    settings_free(context->settings);
    OSSL_LIB_CTX_free(context->inner.context);
    log_close(context->log);
    OPENSSL_free(context);
}

static bool is_ours_to_offer(struct context *context, enum group_index index)
{
    struct clash clash;

    if (!inner_is_available(&context->inner, &groups[index]))
        return false;
    if (!clash_find(context->inner.context, context->name, context->code_points[index], &clash))
        return true;
    log_line(context->log, LOG_LEVEL_ERROR,
             "%s is not offered: provider %s has its number 0x%04X for %s, which libssl might use "
             "instead, without QKD; set codepoint-%s at both ends",
             groups[index].name, clash.provider, context->code_points[index], clash.group,
             groups[index].name);
    return false;
}

bool context_offers(struct context *context, enum group_index index)
{
    uint32_t available = atomic_load(&context->available);

    if (context->absent)
        return false;
    if (available == 0) {
        available = AVAILABLE_KNOWN;
        for (int i = 0; i < GROUP_COUNT; i++)
            if (is_ours_to_offer(context, (enum group_index)i))
                available |= 1U << i;
        atomic_store(&context->available, available);
    }
    return (available & 1U << index) != 0;
}

int context_raise(const struct context *context, const struct group *group, enum reason reason,
                  const struct status *status, const char *file, int line, const char *function)
{
    const char *peer = settings_peer(context->settings);

    if (peer == NULL)
        peer = "(not set)";
    log_line(context->log, LOG_LEVEL_ERROR, "group %s, peer %s: %s", group->name, peer,
             status->text);
    reason_raise(&context->errors, file, line, function, reason, "group %s, peer %s: %s",
                 group->name, peer, status->text);
    return 0;
}
