// SPDX-License-Identifier: Apache-2.0
// An HTTPS server of Node.js's own modules; nothing here knows of QKD.
//
//     server.mjs PORT CERT.pem KEY.pem
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

const [port, cert, key] = process.argv.slice(2);
const options = {
  cert: readFileSync(cert),
  key: readFileSync(key),
  minVersion: 'TLSv1.3',
  handshakeTimeout: 10_000,
};

const server = createServer(options, (request, response) => {
  response.setHeader('Content-Type', 'text/plain');
  response.end(`hello from Node.js ${process.version}\n`);
});
server.on('tlsClientError', (error) => console.error(`handshake: ${error.message}`));
server.listen(Number(port), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
