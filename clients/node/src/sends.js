/** Messages that nobody answers: `send`, in a mailbox once the sidecar says so, and `publish`. */

import { setTimeout as delay } from 'node:timers/promises';

import { parentLost } from './calls.js';
import { checkHeader } from './error-header.js';
import { CancelledCallError, DeadlineExceededError, UnavailableError } from './errors.js';
import { onAbort } from './signals.js';

/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./content.js').Encoded} Encoded */
/** @typedef {import('./errors.js').AgentError} AgentError */
/** @typedef {import('./verbs.js').Verbs} Verbs */

const REPEAT_MS = 50;
const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * Such a message, ready to be written.
 *
 * @typedef {object} Post
 * @property {string} op
 * @property {string} address
 * @property {string} rest The header behind the id, without its closing brace and parent.
 * @property {Encoded} message
 * @property {{ connection: Connection, id: number } | undefined} parent
 * @property {boolean} ack
 * @property {number} answerMs How long the sidecar may take to answer.
 * @property {AbortSignal | undefined} signal
 */

/** The endpoint of one that is answered. */
export class Acknowledged {
  #address;
  /** @type {(error: AgentError | undefined) => void} */
  #answer = () => {};

  /** @param {string} address */
  constructor(address) {
    this.#address = address;
    /** @type {Promise<AgentError | undefined>} Nothing once it is accepted, else the error. */
    this.answer = new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  onData() {}

  onCredit() {}

  onOk() {
    this.#answer(undefined);
  }

  /** @param {AgentError} error */
  onError(error) {
    error.address = this.#address;
    this.#answer(error);
  }

  onCancel() {
    this.#answer(
      new CancelledCallError('the sidecar dropped the message', { reason: 'cancelled' }),
    );
  }

  /** @param {AgentError} error */
  onLost(error) {
    this.#answer(
      new UnavailableError(error.message, {
        reason: 'connection_lost',
        address: this.#address,
        cause: error,
      }),
    );
  }
}

/**
 * Writes it, and again if nobody saw it; resolves with the sidecar's answer.
 *
 * @param {Verbs} client
 * @param {Post} post
 * @returns {Promise<void>}
 */
export async function post(client, { op, address, rest, message, parent, ack, answerMs, signal }) {
  for (let attempt = 0; ; attempt += 1) {
    if (signal?.aborted) throw notSent(signal, address);
    const { connection: present } = client;
    const connection = present?.isOpen ? present : await client.connected(signal);
    if (parent !== undefined && parent.connection !== connection) throw parentLost();
    const header = parent === undefined ? `${rest}}` : `${rest},"parent":${parent.id}}`;
    if (!ack) {
      checkHeader(header);
      connection.write(`{"op":"${op}"${header}`, message.content);
      if (connection.isFull) await connection.writable();
      return;
    }
    const waiting = new Acknowledged(address);
    connection.openId(waiting, op, header, message.content);
    const error = await answered(waiting, answerMs, signal, address);
    if (error === undefined) return;
    if (!error.retry || attempt >= client.repeats) throw error;
    await delay(REPEAT_MS * 2 ** attempt * (0.5 + Math.random()));
  }
}

/**
 * What the sidecar says of a send, while that is waited for.
 *
 * @param {Acknowledged} waiting
 * @param {number} timeoutMs
 * @param {AbortSignal | undefined} signal
 * @param {string} address
 * @returns {Promise<AgentError | undefined>}
 */
async function answered(waiting, timeoutMs, signal, address) {
  /** @type {(error: AgentError) => void} */
  let stop = () => {};
  const stopped = new Promise((_, reject) => {
    stop = reject;
  });
  const late = () =>
    stop(new DeadlineExceededError('not acknowledged in time', { reason: 'deadline', address }));
  const timer = setTimeout(late, Math.min(timeoutMs, TIMER_MS_MAX));
  const abort = () => stop(notSent(/** @type {AbortSignal} */ (signal), address));
  const release = onAbort(signal, abort);
  try {
    return await Promise.race([waiting.answer, /** @type {Promise<never>} */ (stopped)]);
  } finally {
    clearTimeout(timer);
    release();
  }
}

/**
 * @param {AbortSignal} signal
 * @param {string} address
 */
function notSent(signal, address) {
  return new CancelledCallError('the sender no longer waits', {
    reason: 'cancelled',
    address,
    cause: signal.reason,
  });
}
