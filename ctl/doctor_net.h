/* SPDX-License-Identifier: Apache-2.0 */
/* The steps that talk to key servers and to TLS peers. */
#ifndef QKD_CTL_DOCTOR_NET_H
#define QKD_CTL_DOCTOR_NET_H

#include "ctl/doctor.h"

/* The name in `kme` has an address; a TCP connection and a TLS connection can be made. */
void doctor_kme_name(struct doctor *doctor);
void doctor_kme_tcp(struct doctor *doctor);
void doctor_kme_tls(struct doctor *doctor);

/* What the key server says about us and the peer, and by its clock; ETSI 014 sets kme. */
void doctor_kme_answer(struct doctor *doctor);
void doctor_kme_sae(struct doctor *doctor);
void doctor_kme_peer(struct doctor *doctor);
void doctor_kme_clock(struct doctor *doctor);

/* A key for us and the same for the other SAE, whose file is at hand. */
void doctor_pair(struct doctor *doctor);

/* A handshake of two programs, one with our file and one with the other SAE's. */
void doctor_handshake(struct doctor *doctor);

/* A handshake with a TLS server, and whether it would do without QKD. */
void doctor_connect(struct doctor *doctor);

/* A wrong finding for a TLS failure, by OpenSSL's words in the status; true when they are known. */
bool doctor_tls_failure(struct doctor *doctor, const struct status *status);

#endif
