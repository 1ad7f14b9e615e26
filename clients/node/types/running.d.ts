/**
 * Runs the agent; what it gives, or a promise of it.
 *
 * @param {HostedCall} call
 * @param {Buffer} bytes With the content of the call's own frame, from `start` to `end`.
 * @param {number} start
 * @param {number} end
 * @returns {unknown}
 */
export function begin(call: HostedCall, bytes: Buffer, start: number, end: number): unknown;
export type Operation = import('./agents.js').Operation;
export type Kept = import('./content.js').Kept;
export type Header = import('./header.js').Header;
export type HostedCall = import('./hosted-call.js').HostedCall;
