/**
 * What the sidecar alone answers: `send`, in a mailbox once it says so, `publish`, and `signal`.
 */

import { setTimeout as delay } from 'node:timers/promises';

import { onAbort } from './abort-signals.js';
import { notRunning, parentLost } from './call-errors.js';
import { checkHeader } from './error-header.js';
import {
  CancelledCallError,
  DeadlineExceededError,
  UnavailableError,
  UnimplementedError,
} from './errors.js';
import { Repeats, TIMER_MS_MAX } from './repeating.js';

/** @typedef {import('./calls.js').OwnCall} OwnCall */
/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./content.js').Encoded} Encoded */
/** @typedef {import('./errors.js').AgentError} AgentError */
/** @typedef {import('./hosted-call.js').HostedCall} HostedCall */
/** @typedef {import('./verbs.js').Verbs} Verbs */

/**
 * Such a message, ready to be written.
 *
 * @typedef {object} Post
 * @property {string} op
 * @property {string} address
 * @property {string} rest The header behind the id, without its closing brace and parent.
 * @property {Encoded} message
 * @property {HostedCall | undefined} parent
 * @property {OwnCall | undefined} [call] Whom a signal concerns, where that is a call of ours.
 * @property {boolean} ack
 * @property {number} answerMs How long it may take, until there is a connection and an answer.
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
export async function post(client, post) {
  const { op, address, message, parent, call, ack, signal } = post;
  const until = performance.now() + post.answerMs;
  const repeats = new Repeats(client, op === 'send');
  for (;;) {
    if (signal?.aborted) throw notSent(signal, address);
    // Without a wait where none is needed: what is asked for next goes behind it.
    const connection = usable(client, post) ?? (await nextUsable(client, post, until));
    if (parent !== undefined && parent.connection !== connection) throw parentLost();
    let header = post.rest;
    if (op === 'signal' && !connection.features.includes('signals')) throw noSignals();
    if (call !== undefined) {
      if (call.id === 0 || call.connection !== connection) throw notRunning();
      header += `,"call":${call.id}`;
    }
    header += parent === undefined ? '}' : `,"parent":${parent.id}}`;
    if (!ack) {
      checkHeader(header);
      connection.write(`{"op":"${op}"${header}`, message.content);
      if (connection.isFull) await writable(connection);
      return;
    }
    const waiting = new Acknowledged(address);
    const id = connection.openId(waiting, op, header, message.content);
    let error;
    try {
      error = await bounded(waiting.answer, until, signal, address);
    } catch (given) {
      // Nobody waits for the answer any more; what was sent has its way.
      if (op === 'signal') connection.write(`{"op":"cancel","id":${id}}`);
      throw given;
    }
    if (error === undefined) return;
    const delayMs = repeats.delayMs(error);
    if (delayMs === undefined || performance.now() + delayMs >= until) throw error;
    await delay(delayMs);
  }
}

/**
 * The connection, if it takes it: one that drains takes only signals, and what serves a call of its
 * own.
 *
 * @param {Verbs} client
 * @param {Post} post
 * @returns {Connection | undefined}
 */
function usable({ connection }, { op, parent }) {
  if (connection === undefined || !connection.isOpen) return undefined;
  const isFit = !connection.isDraining || op === 'signal' || parent !== undefined;
  return isFit ? connection : undefined;
}

/**
 * The next connection that does.
 *
 * @param {Verbs} client
 * @param {Post} post
 * @param {number} until
 * @returns {Promise<Connection>}
 */
async function nextUsable(client, post, until) {
  const stop = new AbortController();
  const isFit = () => usable(client, post) !== undefined;
  try {
    const connected = client.connected(stop.signal, isFit);
    return await bounded(connected, until, post.signal, post.address);
  } finally {
    stop.abort();
  }
}

/**
 * What comes, unless the time is over or the sender gives up before.
 *
 * @template T
 * @param {Promise<T>} coming
 * @param {number} until
 * @param {AbortSignal | undefined} signal
 * @param {string} address
 * @returns {Promise<T>}
 */
async function bounded(coming, until, signal, address) {
  /** @type {(error: AgentError) => void} */
  let stop = () => {};
  const stopped = new Promise((_, reject) => {
    stop = reject;
  });
  const late = () =>
    stop(new DeadlineExceededError('not acknowledged in time', { reason: 'deadline', address }));
  const leftMs = Math.max(0, until - performance.now());
  const timer = leftMs > TIMER_MS_MAX ? undefined : setTimeout(late, leftMs);
  const abort = () => stop(notSent(/** @type {AbortSignal} */ (signal), address));
  const release = onAbort(signal, abort);
  coming.catch(() => {}); // Where it is too late, nobody asks.
  try {
    return await Promise.race([coming, /** @type {Promise<never>} */ (stopped)]);
  } finally {
    clearTimeout(timer);
    release();
  }
}

/**
 * Resolves when the socket takes more, or the connection ends.
 *
 * @param {Connection} connection
 * @returns {Promise<void>}
 */
function writable(connection) {
  return new Promise((resolve) => {
    connection.stalled.add({ wake: resolve });
  });
}

function noSignals() {
  return new UnimplementedError('the sidecar knows no signals', { reason: 'no_signals' });
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
