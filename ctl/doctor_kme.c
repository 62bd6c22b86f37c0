/* SPDX-License-Identifier: Apache-2.0 */
/* The way to the key server: name, TCP, TLS. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl/doctor_net.h"
#include "net/connection.h"
#include "net/resolve.h"

enum { STEP_LIMIT_MS = 5000 };

static const struct endpoint_address *address_of(const struct doctor *doctor)
{
    return endpoint_address(doctor_kme_endpoint(doctor));
}

void doctor_kme_name(struct doctor *doctor)
{
    struct deadline deadline = deadline_in_ms(STEP_LIMIT_MS);
    const struct endpoint_address *address = address_of(doctor);
    struct status status = STATUS_INIT;
    char cure[DOCTOR_CURE_BYTES];
    struct resolved resolved;

    if (resolve(address, &resolved, &deadline, &status))
        doctor_ok(doctor, "'%s' has %zu address%s", address->host, resolved.count,
                  resolved.count == 1 ? "" : "es");
    else
        doctor_wrong(doctor,
                     doctor_cure(cure,
                                 "mend the host in section [%s], kme = %s, or give the name "
                                 "an address in /etc/hosts or in DNS",
                                 doctor->provider_section, doctor_kme_url(doctor)),
                     "%s", status.text);
}

/* 0, or why not: an errno. */
static int try_connect(const struct sockaddr *address, socklen_t length, int limit_ms)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct pollfd polled = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof(error);

    if (fd < 0)
        return errno;
    if (connect(fd, address, length) != 0)
        error = errno;
    if (error == EINPROGRESS && poll(&polled, 1, limit_ms) <= 0)
        error = ETIMEDOUT;
    else if (error == EINPROGRESS && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    close(fd);
    return error;
}

static const struct {
    int error;
    const char *cure; /* behind it comes the address */
} tcp_cures[] = {
    {ECONNREFUSED, "start the key server, or write the port on which it listens for SAEs into the "
                   "line kme; nobody listens at "},
    {ETIMEDOUT, "let firewalls between here and there pass TCP, and see whether that machine is "
                "up: "},
    {EHOSTUNREACH, "see to the network and the routes from here to "},
    {ENETUNREACH, "see to the network and the routes from here to "},
    {0, "see to the network from here to "},
};

static void say_tcp_fault(struct doctor *doctor, int error)
{
    const struct endpoint_address *address = address_of(doctor);
    char cure[DOCTOR_CURE_BYTES];
    size_t i = 0;

    while (tcp_cures[i].error != error && tcp_cures[i].error != 0)
        i++;
    doctor_wrong(doctor,
                 doctor_cure(cure, "%s%s:%s", tcp_cures[i].cure, address->host, address->port),
                 "no TCP connection to the key server at %s:%s: %s", address->host, address->port,
                 strerror(error));
}

void doctor_kme_tcp(struct doctor *doctor)
{
    struct deadline deadline = deadline_in_ms(STEP_LIMIT_MS);
    const struct endpoint_address *address = address_of(doctor);
    struct status status = STATUS_INIT;
    struct resolved resolved = {.count = 0};
    int error = EHOSTUNREACH;

    resolve(address, &resolved, &deadline, &status);
    for (size_t i = 0; i < resolved.count && error != 0; i++) {
        int limit_ms = deadline_left_ms(&deadline) / (int)(resolved.count - i);

        error = try_connect((const struct sockaddr *)&resolved.entries[i].address,
                            resolved.entries[i].length, limit_ms);
    }
    if (error == 0)
        doctor_ok(doctor, "%s:%s can be reached", address->host, address->port);
    else
        say_tcp_fault(doctor, error);
}

/* OpenSSL's words for what goes wrong between a client and a key server; the first that fit. */
static const struct {
    const char *words;
    const char *text;
    const char *cure;
} tls_failures[] = {
    {"kme-require-pq", "the key server makes no post-quantum key exchange with us",
     "let the key server's operator allow TLS 1.3 with X25519MLKEM768, or remove the line "
     "kme-require-pq"},
    {"certificate has expired", "the key server's certificate has expired",
     "ask the key server's operator to renew its certificate, or set this machine's clock"},
    {"certificate is not yet valid", "the key server's certificate is not valid yet",
     "set this machine's clock, or ask the key server's operator for its certificate"},
    {"mismatch", "the key server's certificate is for another name than that in the line kme",
     "write the name that the certificate has into the line kme"},
    {"self-signed certificate", "our file 'ca' does not vouch for the key server's certificate",
     "let the line ca name the certificate of the CA that issued the key server's"},
    {"self signed certificate", "our file 'ca' does not vouch for the key server's certificate",
     "let the line ca name the certificate of the CA that issued the key server's"},
    {"local issuer certificate", "our file 'ca' does not vouch for the key server's certificate",
     "let the line ca name the certificate of the CA that issued the key server's"},
    {"certificate signature failure",
     "our file 'ca' does not vouch for the key server's "
     "certificate: a CA of the same name, with another key",
     "let the line ca name the certificate of the CA that issued the key server's"},
    {"wrong version number", "what listens there does not speak TLS",
     "write the port on which the key server listens for SAEs into the line kme"},
    {"http request", "what listens there does not speak TLS",
     "write the port on which the key server listens for SAEs into the line kme"},
    {"packet length too long", "what listens there does not speak TLS",
     "write the port on which the key server listens for SAEs into the line kme"},
    {"alert unknown ca", "the key server does not trust the CA that issued our certificate",
     "let cert and key name an identity from the CA of the key server, or ask its operator to "
     "trust ours"},
    {"alert certificate expired", "the key server says that our certificate has expired",
     "get a new certificate from the CA of the key server; set the clocks of both machines"},
    {"alert bad certificate", "the key server refuses our certificate",
     "let cert and key name an identity that the key server's operator gave us"},
    {"alert certificate", "the key server refuses our certificate",
     "let cert and key name an identity that the key server's operator gave us"},
    {"alert decrypt error",
     "the key server cannot verify our certificate: its CA has the name of "
     "ours and another key",
     "let cert and key name an identity from the CA of the key server"},
    {"alert access denied", "the key server refuses our certificate",
     "let cert and key name an identity that the key server's operator gave us"},
    {"alert handshake failure", "the key server finds nothing in common with us",
     "let the key server's operator allow TLS 1.3, or 1.2 with ECDHE and AES-GCM"},
    {"alert protocol version", "the key server refuses TLS 1.2 and 1.3",
     "let the key server's operator allow TLS 1.3"},
};

bool doctor_tls_failure(struct doctor *doctor, const struct status *status)
{
    for (size_t i = 0; i < sizeof(tls_failures) / sizeof(tls_failures[0]); i++)
        if (strstr(status->text, tls_failures[i].words) != NULL) {
            doctor_wrong(doctor, tls_failures[i].cure, "%s (%s)", tls_failures[i].text,
                         status->text);
            return true;
        }
    return false;
}

void doctor_kme_tls(struct doctor *doctor)
{
    struct deadline deadline = deadline_in_ms(STEP_LIMIT_MS);
    const struct endpoint_address *address = address_of(doctor);
    struct status status = STATUS_INIT;
    struct connection *connection =
        connection_open(doctor_kme_endpoint(doctor), &deadline, &status);

    if (connection != NULL)
        doctor_ok(doctor, "%s:%s has a certificate for its name from a CA in '%s'; %s with %s",
                  address->host, address->port, doctor->values[SETTING_CA],
                  connection_tls_version(connection), connection_group(connection));
    else if (!doctor_tls_failure(doctor, &status))
        doctor_wrong(doctor,
                     status.outcome == OUTCOME_TIMEOUT
                         ? "see that this is the port on which the key server listens for SAEs, "
                           "and restart the key server if it hangs"
                         : "write the port on which the key server listens for SAEs into the line "
                           "kme, and look into the key server's log",
                     "%s:%s: %s", address->host, address->port, status.text);
    connection_close(connection);
}
