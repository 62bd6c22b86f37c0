/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/doctor_net.h"

static const struct doctor_step rows[] = {
    {DOCTOR_KME_NAME, DOCTOR_NEEDS(DOCTOR_IDENTITY), "kme-name", "the key server's name",
     doctor_kme_name},
    {DOCTOR_KME_TCP, DOCTOR_NEEDS(DOCTOR_KME_NAME), "kme-tcp", "a TCP connection to the key server",
     doctor_kme_tcp},
    {DOCTOR_KME_TLS, DOCTOR_NEEDS(DOCTOR_KME_TCP), "kme-tls", "a TLS connection to the key server",
     doctor_kme_tls},
    {DOCTOR_KME_ANSWER, DOCTOR_NEEDS(DOCTOR_KME_TLS), "kme-answer", "the key server's answer",
     doctor_kme_answer},
    {DOCTOR_KME_SAE, DOCTOR_NEEDS(DOCTOR_KME_ANSWER), "kme-sae", "who we are to the key server",
     doctor_kme_sae},
    {DOCTOR_KME_PEER, DOCTOR_NEEDS(DOCTOR_KME_SAE), "kme-peer",
     "keys with the peer at the key server", doctor_kme_peer},
    {DOCTOR_KME_CLOCK, DOCTOR_NEEDS(DOCTOR_KME_ANSWER), "kme-clock", "the key server's clock",
     doctor_kme_clock},
    {DOCTOR_PAIR, DOCTOR_NEEDS(DOCTOR_KME_PEER), "pair", "one key at both ends", doctor_pair},
    {DOCTOR_HANDSHAKE, DOCTOR_NEEDS(DOCTOR_PAIR) | DOCTOR_NEEDS(DOCTOR_GROUPS), "handshake",
     "a handshake of both ends", doctor_handshake},
    {DOCTOR_CONNECT, DOCTOR_NEEDS(DOCTOR_KME_PEER) | DOCTOR_NEEDS(DOCTOR_GROUPS), "connect",
     "a handshake with a TLS server", doctor_connect},
};

const struct doctor_step_table doctor_steps_net = {sizeof(rows) / sizeof(rows[0]), rows};
