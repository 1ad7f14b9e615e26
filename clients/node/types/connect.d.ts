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
export function connect(url?: string | import("./options.js").ConnectOptions | undefined, options?: import("./options.js").ConnectOptions | undefined): Promise<Client>;
export type ConnectOptions = import('./options.js').ConnectOptions;
import { Client } from "./client.js";
