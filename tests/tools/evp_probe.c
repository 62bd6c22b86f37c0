/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uses a group through EVP with the configuration of OPENSSL_CONF, so that a test can count at
 * the key servers what each use costs.
 *
 *     evp_probe GROUP STEP...
 *
 * parameters, generate, sizes (100 queries of each kind), copies (10 of a private key),
 * init-only (10 operations begun and given up), encapsulate (once, to our own public key), child
 * (the same in a forked process, which then exits as programs do), key-id (prints the one that our
 * public key names), no-key-id (it must name none), fork-generate (the first in a forked process),
 * wait (says so, and goes on after a line of input), try (generate; prints "key", or the reason for
 * which there is none).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>

enum { MANY = 100, SOME = 10, SHARE_MAX_BYTES = 4096 };

struct probe {
    const char *group;
    EVP_PKEY *private;
    EVP_PKEY *public;
};

static int parameters(struct probe *probe)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, probe->group, NULL);
    EVP_PKEY *key = NULL;
    int ok = EVP_PKEY_paramgen_init(ctx) == 1 && EVP_PKEY_paramgen(ctx, &key) == 1 && key != NULL;

    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static int generate(struct probe *probe)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, probe->group, NULL);
    unsigned char *share = NULL;
    size_t length;

    if (EVP_PKEY_keygen_init(ctx) == 1)
        EVP_PKEY_generate(ctx, &probe->private);
    EVP_PKEY_CTX_free(ctx);
    length = probe->private != NULL ? EVP_PKEY_get1_encoded_public_key(probe->private, &share) : 0;
    probe->public = EVP_PKEY_new_raw_public_key_ex(NULL, probe->group, NULL, share, length);
    OPENSSL_free(share);
    return probe->public != NULL;
}

static int sizes(struct probe *probe)
{
    unsigned char share[SHARE_MAX_BYTES] = {0};
    EVP_PKEY_CTX *to = EVP_PKEY_CTX_new_from_pkey(NULL, probe->public, NULL);
    EVP_PKEY_CTX *from = EVP_PKEY_CTX_new_from_pkey(NULL, probe->private, NULL);
    size_t share_length = 0, secret_length = 0;
    int ok = EVP_PKEY_encapsulate_init(to, NULL) == 1 && EVP_PKEY_decapsulate_init(from, NULL) == 1;

    for (int i = 0; ok && i < MANY; i++)
        ok = EVP_PKEY_encapsulate(to, NULL, &share_length, NULL, &secret_length) == 1 &&
             EVP_PKEY_decapsulate(from, NULL, &secret_length, share, share_length) == 1;
    EVP_PKEY_CTX_free(to);
    EVP_PKEY_CTX_free(from);
    return ok;
}

static int copies(struct probe *probe)
{
    int ok = 1;

    for (int i = 0; ok && i < SOME; i++) {
        EVP_PKEY *copy = EVP_PKEY_dup(probe->private);

        ok = copy != NULL && EVP_PKEY_eq(copy, probe->private) == 1;
        EVP_PKEY_free(copy);
    }
    return ok;
}

static int init_only(struct probe *probe)
{
    int ok = 1;

    for (int i = 0; ok && i < SOME; i++) {
        EVP_PKEY_CTX *to = EVP_PKEY_CTX_new_from_pkey(NULL, probe->public, NULL);
        EVP_PKEY_CTX *from = EVP_PKEY_CTX_new_from_pkey(NULL, probe->private, NULL);

        ok = EVP_PKEY_encapsulate_init(to, NULL) == 1 && EVP_PKEY_decapsulate_init(from, NULL) == 1;
        EVP_PKEY_CTX_free(to);
        EVP_PKEY_CTX_free(from);
    }
    return ok;
}

static int encapsulate(struct probe *probe)
{
    unsigned char share[SHARE_MAX_BYTES], secret[256];
    size_t share_length = sizeof(share), secret_length = sizeof(secret);
    EVP_PKEY_CTX *to = EVP_PKEY_CTX_new_from_pkey(NULL, probe->public, NULL);
    int ok = EVP_PKEY_encapsulate_init(to, NULL) == 1 &&
             EVP_PKEY_encapsulate(to, share, &share_length, secret, &secret_length) == 1;

    EVP_PKEY_CTX_free(to);
    return ok;
}

static int end_of(pid_t pid)
{
    int exit_code = 1;

    return pid > 0 && waitpid(pid, &exit_code, 0) == pid && exit_code == 0;
}

static int wait_for_line(struct probe *probe)
{
    (void)probe;
    return puts("waiting") >= 0 && fflush(stdout) == 0 && getchar() == '\n';
}

static int names_key(struct probe *probe, char *text, size_t size)
{
    return EVP_PKEY_get_utf8_string_param(probe->public, "qkd-key-id", text, size, NULL);
}

static int key_id(struct probe *probe)
{
    char text[37];

    return names_key(probe, text, sizeof(text)) == 1 && puts(text) >= 0;
}

static int no_key_id(struct probe *probe)
{
    char text[37];

    return names_key(probe, text, sizeof(text)) == 0;
}

static int child(struct probe *probe)
{
    pid_t pid = fork();

    if (pid == 0)
        exit(encapsulate(probe) ? 0 : 1);
    return end_of(pid);
}

static void drop(struct probe *probe)
{
    EVP_PKEY_free(probe->private);
    EVP_PKEY_free(probe->public);
    probe->private = probe->public = NULL;
}

static int generate_anew(struct probe *probe)
{
    drop(probe);
    return generate(probe);
}

static int try_generate(struct probe *probe)
{
    const char *data = "";
    unsigned long error;

    if (generate_anew(probe))
        return puts("key") >= 0;
    error = ERR_peek_error_all(NULL, NULL, NULL, &data, NULL);
    printf("%s: %s\n", ERR_reason_error_string(error), data);
    ERR_clear_error();
    return 1;
}

static int fork_generate(struct probe *probe)
{
    pid_t pid = fork();

    if (pid == 0) {
        int ok = generate_anew(probe);

        drop(probe);
        exit(ok ? 0 : 1);
    }
    return end_of(pid);
}

static const struct {
    const char *name;
    int (*run)(struct probe *probe);
} steps[] = {
    {"parameters", parameters}, {"generate", generate_anew},
    {"sizes", sizes},           {"copies", copies},
    {"init-only", init_only},   {"encapsulate", encapsulate},
    {"child", child},           {"key-id", key_id},
    {"no-key-id", no_key_id},   {"fork-generate", fork_generate},
    {"wait", wait_for_line},    {"try", try_generate},
};

static int run_step(struct probe *probe, const char *name)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (strcmp(steps[i].name, name) == 0)
            return steps[i].run(probe);
    return 0;
}

int main(int count, char **words)
{
    struct probe probe = {.group = count > 1 ? words[1] : ""};
    int ok = count > 2;

    for (int i = 2; ok && i < count; i++) {
        ok = run_step(&probe, words[i]);
        if (!ok)
            fprintf(stderr, "evp_probe: %s failed\n", words[i]);
    }
    ERR_print_errors_fp(stderr);
    drop(&probe);
    return !ok;
}
