/** Signals that are sent: to a call of ours, a session, an agent or a run. */

import { OwnCall } from './calls.js';
import { InvalidArgumentError } from './errors.js';
import { senderRest, signalRest } from './header.js';
import { contextFor, messageFor, parentFor } from './requests.js';
import { post } from './sends.js';

/** @typedef {import('./options.js').SignalOptions} SignalOptions */
/** @typedef {import('./verbs.js').Verbs} Verbs */

/**
 * Whom a signal concerns: an address, or a run by its name.
 *
 * @typedef {string | { run: string }} Target
 */

const ANSWER_MS = 30_000;

/**
 * Sends a signal; resolves once everyone concerned has it.
 *
 * @param {Verbs} client
 * @param {Target | OwnCall} target
 * @param {string} name
 * @param {unknown} payload
 * @param {SignalOptions} [options]
 * @returns {Promise<void>}
 */
export async function sendSignal(client, target, name, payload, options = {}) {
  const { ack = true, timeoutMs = ANSWER_MS, signal } = options;
  const message = messageFor(payload, options);
  const context = contextFor(options.parent);
  const parent = parentFor(client, context, options.parent);
  const { address, words, call } = concerned(target);
  let rest = signalRest(words, name, message.contentType);
  rest += senderRest(options.sender);
  const whom = { address, parent, call };
  const how = { ack, answerMs: timeoutMs, signal };
  await post(client, { op: 'signal', rest, message, ...whom, ...how });
}

/**
 * @param {Target | OwnCall} target
 * @returns {{ address: string, words: { to?: string, run?: string }, call?: OwnCall }}
 */
function concerned(target) {
  if (typeof target === 'string') return { address: target, words: { to: target } };
  if (typeof target === 'object' && 'run' in target && typeof target.run === 'string') {
    return { address: '', words: { run: target.run } };
  }
  if (target instanceof OwnCall) {
    return { address: target.request.address, words: {}, call: target };
  }
  throw new InvalidArgumentError('a signal concerns an address or a run', {
    reason: 'missing_field',
    details: { field: 'to' },
  });
}
