/** @typedef {import('./hosted-call.js').HostedCall} HostedCall */
/**
 * A value as the agent's operation takes it; throws InvalidArgumentError for one it does not.
 *
 * @param {HostedCall} call
 * @param {any} value
 * @returns {any}
 */
export function checked(call: HostedCall, value: any): any;
/**
 * Throws InternalError for a value that the agent's operation does not answer, if answers are
 * looked at. Pieces of messages, and what others answer, are not.
 *
 * @param {HostedCall} call
 * @param {any} value
 */
export function checkReply(call: HostedCall, value: any): void;
export type HostedCall = import('./hosted-call.js').HostedCall;
