/** A program that only hosts: from its start until it is told to end. */
/** @typedef {import('./client.js').Client} Client */
/**
 * Serves until SIGINT or SIGTERM, then drains; told twice, it closes at once.
 *
 * @param {Client} client
 * @returns {Promise<void>}
 */
export function runProgram(client: Client): Promise<void>;
export type Client = import('./client.js').Client;
