/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the errors that an application has on its thread's queue out of the way of TLS calls of
 * ours. Error marks do not suffice there: the TLS state machine clears the queue, marks and all,
 * and SSL_get_error() answers from the oldest entry, whoever put it there.
 *
 * Entries come back as they were, but without marks that the application had set among them: no
 * OpenSSL tells where those are.
 */
#ifndef QKD_NET_ERROR_QUEUE_H
#define QKD_NET_ERROR_QUEUE_H

struct error_queue;

/* Takes all entries off the queue. NULL when there are none, or no memory to keep them. */
struct error_queue *error_queue_take(void);

/* Drops what is on the queue now and puts the taken entries back. */
void error_queue_put_back(struct error_queue *taken);

#endif
