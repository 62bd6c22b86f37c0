/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls out of our libraries that fail on demand. The linker sends them here (--wrap); what
 * OpenSSL or c-ares call among themselves is not touched, and neither is what the program calls
 * while nothing is armed.
 */
#ifndef QKD_TESTS_FAULT_FAULT_H
#define QKD_TESTS_FAULT_FAULT_H

/* From now on calls are counted, and the one with this number (from 1) fails; 0: none does. */
void fault_arm(unsigned number);

/* Back to normal; the number of calls counted since fault_arm. */
unsigned fault_disarm(void);

/* The function whose call failed since fault_arm; NULL when none did. */
const char *fault_name(void);

#endif
