/** When what nobody saw is sent again: later each time, and never at the same moment as others. */

/** @typedef {import('./errors.js').AgentError} AgentError */

const REPEAT_DELAY_MS = 50;
const REPEAT_DELAY_MS_MAX = 2000;
/** What a timer can be set to; 25 days. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * @param {number} attempts How often it was sent again so far.
 * @param {AgentError} error What it was refused with.
 * @returns {number}
 */
export function repeatDelayMs(attempts, error) {
  const usual = Math.min(REPEAT_DELAY_MS * 2 ** attempts, REPEAT_DELAY_MS_MAX);
  const delayMs = usual * (0.5 + Math.random());
  const { retry_after_ms: afterMs } = error.details;
  return typeof afterMs === 'number' ? Math.min(Math.max(delayMs, afterMs), TIMER_MS_MAX) : delayMs;
}
