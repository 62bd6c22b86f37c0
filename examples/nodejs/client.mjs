// SPDX-License-Identifier: Apache-2.0
// Fetches a page by HTTPS and prints it; nothing here knows of QKD.
//
//     client.mjs URL CA.pem
import { readFileSync } from 'node:fs';
import { get } from 'node:https';

const [url, ca] = process.argv.slice(2);
const options = { ca: readFileSync(ca), minVersion: 'TLSv1.3', timeout: 10_000 };

const request = get(url, options, (response) => response.pipe(process.stdout));
request.on('timeout', () => request.destroy(new Error('no answer within 10 s')));
request.on('error', (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
