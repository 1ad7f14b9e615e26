/** A program that only hosts: from its start until it is told to end. */

/** @typedef {import('./client.js').Client} Client */

/**
 * Serves until SIGINT or SIGTERM, then drains; told twice, it closes at once.
 *
 * @param {Client} client
 * @returns {Promise<void>}
 */
export async function runProgram(client) {
  const stop = new AbortController();
  const hurry = new AbortController();
  const told = () => (stop.signal.aborted ? hurry : stop).abort();
  process.on('SIGINT', told);
  process.on('SIGTERM', told);
  try {
    await client.serve({ signal: stop.signal }).catch((error) => {
      if (!stop.signal.aborted) throw error;
    });
    await client.drain({ signal: hurry.signal });
  } finally {
    process.off('SIGINT', told);
    process.off('SIGTERM', told);
  }
}
