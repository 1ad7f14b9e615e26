/** When what nobody saw is sent again: later each time, and never at the same moment as others. */

/** @typedef {import('./errors.js').AgentError} AgentError */
/** @typedef {import('./verbs.js').Verbs} Verbs */

const DELAY_MS = 50;
const DELAY_MS_MAX = 2000;
const REJOINING_DELAY_MS_MAX = 500;
/** What a timer can be set to; 25 days. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

/** How often something was sent again so far, and whether it may be once more. */
export class Repeats {
  #client;
  #awaitsAgents;
  #count = 0;
  #countRejoining = 0;

  /**
   * @param {Verbs} client
   * @param {boolean} [awaitsAgents] Not there is not yet there, behind a reconnect.
   */
  constructor(client, awaitsAgents = true) {
    this.#client = client;
    this.#awaitsAgents = awaitsAgents;
  }

  /**
   * How long to wait until it is sent again, or undefined if it is not.
   *
   * @param {AgentError} error What it was refused with.
   * @returns {number | undefined}
   */
  delayMs(error) {
    // Who is back before those it calls gives them time to come back too.
    const isRejoining = this.#awaitsAgents && performance.now() < this.#client.rejoiningUntil;
    if (isRejoining && isAway(error)) {
      this.#countRejoining += 1;
      return pauseMs(this.#countRejoining, REJOINING_DELAY_MS_MAX);
    }
    if (!error.retry || this.#count >= this.#client.repeats) return undefined;
    this.#count += 1;
    const delayMs = pauseMs(this.#count, DELAY_MS_MAX);
    const { retry_after_ms: afterMs } = error.details;
    if (typeof afterMs !== 'number') return delayMs;
    return Math.min(Math.max(delayMs, afterMs), TIMER_MS_MAX);
  }
}

/** @param {AgentError} error */
function isAway({ code, reason }) {
  return (
    (code === 'not_found' && reason === 'unknown_agent') ||
    (code === 'unavailable' && reason === 'no_replica')
  );
}

/**
 * @param {number} count
 * @param {number} maxMs
 */
function pauseMs(count, maxMs) {
  return Math.min(DELAY_MS * 2 ** (count - 1), maxMs) * (0.5 + Math.random());
}
