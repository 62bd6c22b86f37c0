/* SPDX-License-Identifier: Apache-2.0 */
/* The program's own side: what it does is a row, and what it finds goes to standard output. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/conf.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

#include "ctl/doctor_program.h"

enum { LINE_BYTES = 1024 };

void doctor_program_say(const char *name, const char *format, ...)
{
    char text[LINE_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    for (char *c = text; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    printf("%s %s\n", name, text);
    fflush(stdout);
}

void doctor_program_say_errors(const char *name)
{
    const char *data;
    unsigned long error;
    int flags;

    while ((error = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        const char *reason = ERR_reason_error_string(error);

        doctor_program_say(name, "%s%s%s", reason != NULL ? reason : "an error without a name",
                           (flags & ERR_TXT_STRING) != 0 && *data != '\0' ? ": " : "",
                           (flags & ERR_TXT_STRING) != 0 ? data : "");
    }
}

bool doctor_program_load(void)
{
    bool loaded;

    doctor_program_say("at", "the first use of OpenSSL");
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    doctor_program_say("openssl", "%s", OpenSSL_version(OPENSSL_VERSION));
    OPENSSL_load_builtin_modules();
    doctor_program_say("at", "loading the configuration and the providers that it activates");
    loaded = CONF_modules_load_file(NULL, NULL, 0) > 0;
    doctor_program_say("config", "%s", loaded ? "loaded" : "failed");
    doctor_program_say_errors("config-error");
    return loaded;
}

static const char *text_param(const OSSL_PARAM params[], const char *name)
{
    const OSSL_PARAM *param = OSSL_PARAM_locate_const(params, name);
    const char *text = NULL;

    return param != NULL && OSSL_PARAM_get_utf8_string_ptr(param, &text) ? text : "?";
}

/* "group NUMBER PROVIDER NAME INTERNAL-NAME" */
static int say_group(const OSSL_PARAM params[], void *provider)
{
    const OSSL_PARAM *param = OSSL_PARAM_locate_const(params, OSSL_CAPABILITY_TLS_GROUP_ID);
    unsigned number = 0;

    if (param != NULL)
        OSSL_PARAM_get_uint(param, &number);
    doctor_program_say("group", "0x%04X %s %s %s", number, (const char *)provider,
                       text_param(params, OSSL_CAPABILITY_TLS_GROUP_NAME),
                       text_param(params, OSSL_CAPABILITY_TLS_GROUP_NAME_INTERNAL));
    return 1;
}

/* "provider NAME VERSION", and its groups */
static int say_provider(OSSL_PROVIDER *provider, void *unused)
{
    char *version = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_VERSION, &version, 0),
        OSSL_PARAM_construct_end(),
    };
    const char *name = OSSL_PROVIDER_get0_name(provider);

    (void)unused;
    doctor_program_say("at", "asking provider %s for its version and groups", name);
    if (!OSSL_PROVIDER_get_params(provider, params) || version == NULL)
        version = (char *)(uintptr_t) "?";
    doctor_program_say("provider", "%s %s", name, version);
    OSSL_PROVIDER_get_capabilities(provider, "TLS-GROUP", say_group, (void *)(uintptr_t)name);
    return 1;
}

/* "min-protocol NUMBER", as the file's system_default leaves it */
static void say_context(const SSL_METHOD *method, const char *name)
{
    SSL_CTX *context;

    doctor_program_say("at", "making the TLS context of a %s", name);
    ERR_clear_error();
    context = SSL_CTX_new(method);
    doctor_program_say(name, "%s", context != NULL ? "made" : "failed");
    doctor_program_say_errors("context-error");
    if (context != NULL)
        doctor_program_say("min-protocol", "0x%04X",
                           (unsigned)SSL_CTX_get_min_proto_version(context));
    SSL_CTX_free(context);
}

static enum exit_code run_load(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    doctor_program_load();
    OSSL_PROVIDER_do_all(NULL, say_provider, NULL);
    ERR_clear_error();
    say_context(TLS_server_method(), "server");
    say_context(TLS_client_method(), "client");
    doctor_program_say("at", "the end of the program");
    return EXIT_DONE;
}

static const struct {
    const char *word;
    enum exit_code (*run)(int argc, char **argv); /* argv[0] is the word */
} scenes[] = {
    {"load", run_load},
    {"connect", doctor_program_connect},
    {"serve", doctor_program_serve},
};

enum exit_code doctor_program_main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(scenes) / sizeof(scenes[0]); i++)
        if (strcmp(scenes[i].word, argv[1]) == 0)
            return scenes[i].run(argc - 1, argv + 1);
    return EXIT_USAGE;
}
