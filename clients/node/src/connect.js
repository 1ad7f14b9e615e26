/** Where a program begins. */

import { defaultUrl } from './address.js';
import { Client } from './client.js';

/** @typedef {import('./options.js').ConnectOptions} ConnectOptions */

/**
 * Connects to the sidecar at a url (`unix:/path`, `tcp://host:port`); without one: `COAGENT_URL`,
 * else the default socket. Throws UnavailableError if nobody listens, or what the sidecar says
 * against it.
 *
 * @param {string | ConnectOptions} [url]
 * @param {ConnectOptions} [options]
 * @returns {Promise<Client>}
 */
export async function connect(url, options = {}) {
  if (typeof url === 'object') return connect(undefined, url);
  const client = new Client(url ?? defaultUrl(), options);
  await client.start(options.signal);
  return client;
}
