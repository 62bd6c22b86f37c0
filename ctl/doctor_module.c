/* SPDX-License-Identifier: Apache-2.0 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "ctl/doctor_steps.h"
#include "ctl/self.h"

enum { MODULE_MAX_BYTES = 64 * 1024 * 1024 };

/* A file that is mapped for reading. */
struct mapped {
    const uint8_t *data;
    size_t length;
};

static const char *modules_folder(void)
{
    const char *folder = getenv("OPENSSL_MODULES");

    if (folder == NULL)
        folder = OPENSSL_info(OPENSSL_INFO_MODULES_DIR);
    return folder != NULL ? folder : ".";
}

/* As OpenSSL does: a relative path is one in the folder of modules. */
static void find_path(struct doctor *doctor)
{
    const char *module = doctor_conf(doctor, doctor->provider_section, "module");

    if (module != NULL && module[0] == '/')
        snprintf(doctor->module, sizeof(doctor->module), "%s", module);
    else if (module != NULL)
        snprintf(doctor->module, sizeof(doctor->module), "%s/%s", modules_folder(), module);
    else
        snprintf(doctor->module, sizeof(doctor->module), "%s/%s.so", modules_folder(),
                 doctor->provider_name);
}

/* Names the module that was installed with this program, when there is one. */
static void put_cure(const struct doctor *doctor, char cure[static DOCTOR_CURE_BYTES])
{
    char ours[PATH_MAX];

    if (!self_beside(ours, "../lib/ossl-modules/qkd.so"))
        snprintf(ours, sizeof(ours), "%s/qkd.so", modules_folder());
    if (access(ours, R_OK) == 0 && strcmp(ours, doctor->module) != 0)
        doctor_cure(cure, "put this line into section [%s]: module = %s", doctor->provider_section,
                    ours);
    else
        doctor_cure(cure, "install the module qkd.so and name it in section [%s]: module = /PATH",
                    doctor->provider_section);
}

static bool check_open(struct doctor *doctor, int fd, int error, struct stat *about)
{
    char cure[DOCTOR_CURE_BYTES];

    put_cure(doctor, cure);
    if (fd < 0 && error == EACCES)
        doctor_wrong(doctor, doctor_cure(cure, "chmod a+r %s", doctor->module),
                     "the module '%s' cannot be read by this user", doctor->module);
    else if (fd < 0)
        doctor_wrong(doctor, cure, "the module '%s' cannot be opened: %s", doctor->module,
                     strerror(error));
    else if (fstat(fd, about) != 0 || !S_ISREG(about->st_mode))
        doctor_wrong(doctor, cure, "the module '%s' is not a regular file", doctor->module);
    else
        return true;
    return false;
}

static bool map_file(struct doctor *doctor, const char *path, struct mapped *mapped)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error = errno;
    struct stat about = {0};
    void *data = MAP_FAILED;

    if (check_open(doctor, fd, error, &about)) {
        if (about.st_size > 0 && about.st_size <= MODULE_MAX_BYTES)
            data = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data != MAP_FAILED)
            *mapped = (struct mapped){data, (size_t)about.st_size};
    }
    if (fd >= 0)
        close(fd);
    return fd >= 0 && doctor->outcomes[DOCTOR_MODULE] != FINDING_WRONG;
}

static bool own_header(Elf64_Ehdr *header)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    bool got = fd >= 0 && read(fd, header, sizeof(*header)) == (ssize_t)sizeof(*header);

    if (fd >= 0)
        close(fd);
    return got;
}

/* Class, byte order and machine stand at the same places in files of 32 and 64 bits. */
static bool is_for_this_machine(const struct mapped *file)
{
    Elf64_Ehdr own, other;

    if (!own_header(&own))
        return true;
    memcpy(&other, file->data, sizeof(other));
    return own.e_ident[EI_CLASS] == other.e_ident[EI_CLASS] &&
           own.e_ident[EI_DATA] == other.e_ident[EI_DATA] && own.e_machine == other.e_machine;
}

static bool contains(const struct mapped *file, const char *text)
{
    return memmem(file->data, file->length, text, strlen(text)) != NULL;
}

/* The digit behind "libcrypto.so." among the module's names; 0 when it names none. */
static unsigned libcrypto_of(const struct mapped *file)
{
    static const char name[] = "libcrypto.so.";
    const uint8_t *at = memmem(file->data, file->length, name, strlen(name));
    const uint8_t *digit = at != NULL ? at + strlen(name) : NULL;

    return digit != NULL && digit < file->data + file->length && *digit >= '0' && *digit <= '9'
               ? (unsigned)(*digit - '0')
               : 0;
}

/* What is wrong with the content; NULL when nothing is. */
static const char *fault_of(const struct mapped *file)
{
    if (file->data == NULL || file->length < sizeof(Elf64_Ehdr) ||
        memcmp(file->data, ELFMAG, SELFMAG) != 0)
        return "is not a shared object";
    if (!is_for_this_machine(file))
        return "was built for another kind of machine";
    if (!contains(file, "OSSL_provider_init"))
        return "is not a provider of OpenSSL";
    if (!contains(file, "qkd_x25519"))
        return "is a provider, but not that of qkd-provider";
    return NULL;
}

void doctor_module(struct doctor *doctor)
{
    struct mapped file = {NULL, 0};
    char cure[DOCTOR_CURE_BYTES];
    const char *fault;
    unsigned libcrypto;

    find_path(doctor);
    if (!map_file(doctor, doctor->module, &file))
        return;
    put_cure(doctor, cure);
    fault = fault_of(&file);
    libcrypto = fault == NULL ? libcrypto_of(&file) : 0;
    if (file.data != NULL)
        munmap((void *)(uintptr_t)file.data, file.length);
    if (fault != NULL)
        doctor_wrong(doctor, cure, "the module '%s' %s", doctor->module, fault);
    else if (libcrypto != 0 && libcrypto != OPENSSL_version_major())
        doctor_wrong(doctor, cure,
                     "the module '%s' was built for libcrypto.so.%u, and programs with the OpenSSL "
                     "of qkdctl have libcrypto.so.%u",
                     doctor->module, libcrypto, OPENSSL_version_major());
    else
        doctor_ok(doctor, "'%s' is the module, built for libcrypto.so.%u", doctor->module,
                  libcrypto);
}
