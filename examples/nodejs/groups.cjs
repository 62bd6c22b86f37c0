// SPDX-License-Identifier: Apache-2.0
// Loaded before a program (--require), it names the groups of all TLS connections that do not
// name their own. A name that OpenSSL does not know is an error here, not in the configuration.
require('node:tls').DEFAULT_ECDH_CURVE = 'qkd_x25519mlkem768';
