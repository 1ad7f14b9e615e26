/**
 * @param {number} attempts How often it was sent again so far.
 * @param {AgentError} error What it was refused with.
 * @returns {number}
 */
export function repeatDelayMs(attempts: number, error: AgentError): number;
/** What a timer can be set to; 25 days. */
export const TIMER_MS_MAX: number;
export type AgentError = import('./errors.js').AgentError;
