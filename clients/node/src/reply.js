/** What a call answers, to be taken whole or read as it comes. */

import { notRunning } from './call-errors.js';
import { collected, encode } from './content.js';
import './disposal.js';
import { FailedPreconditionError } from './errors.js';
import { MessageReader, PartReader, messageOf, valueOf } from './readers.js';
import { sendSignal } from './signalling.js';

/** @typedef {import('./calls.js').OwnCall} OwnCall */
/** @typedef {import('./content.js').Collect} Collect */
/** @typedef {import('./content.js').Message} Message */
/** @typedef {import('./options.js').SignalOptions} SignalOptions */
/** @typedef {import('./receiving.js').Link} Link */
/** @typedef {import('./receiving.js').Receiving} Receiving */
/** @typedef {import('./sending.js').Sending} Sending */

/** A reply that was forgotten unread leaves its call. */
const forgotten = new FinalizationRegistry((/** @type {OwnCall} */ call) => {
  if (!call.sink.isEnded && /** @type {Receiving} */ (call.sink).readers === 0) call.cancel();
});

/**
 * What a call answers: iterate over its values as they come, or take the one `value()`.
 *
 * Any number of readers, early or late, read the same from the start. Leaving the last loop over
 * it, or `cancel`, cancels the call down to the agent. A reply that is not kept is not remembered.
 *
 * @template [T=any]
 * @implements {AsyncIterable<T>}
 */
export class Reply {
  #call;
  #receiving;
  #start;

  /**
   * Made by `client.stream`.
   *
   * @param {OwnCall} call
   * @param {Receiving} receiving
   */
  constructor(call, receiving) {
    this.#call = call;
    this.#receiving = receiving;
    this.#start = receiving.last;
    forgotten.register(this, call);
  }

  /**
   * The library's side of a reply.
   *
   * @internal
   * @param {Reply} reply
   * @returns {OwnCall}
   */
  static callOf(reply) {
    return reply.#call;
  }

  /** What was called. */
  get address() {
    return this.#call.request.address;
  }

  /** The last frame is here, or the call failed. */
  get isDone() {
    return this.#receiving.isEnded;
  }

  /** The error that ended it, if one did. */
  get error() {
    return this.#receiving.error;
  }

  /** @returns {AsyncIterableIterator<T>} */
  [Symbol.asyncIterator]() {
    this.#call.begin();
    return new MessageReader(this.#receiving, this.#start, valueOf);
  }

  /**
   * Messages with type, content type and ext. With `errors`, an error at a position of the stream
   * is a message with `error` set; else it is thrown there.
   *
   * @param {{ errors?: boolean }} options
   * @returns {AsyncIterableIterator<Message>}
   */
  messages({ errors = false } = {}) {
    this.#call.begin();
    return new MessageReader(this.#receiving, this.#start, messageOf, { showsErrors: errors });
  }

  /**
   * Pieces as they come, tokens for instance: strings of texts, Buffers of anything else.
   *
   * @returns {AsyncIterableIterator<string | Buffer>}
   */
  parts() {
    this.#call.begin();
    return new PartReader(this.#receiving, this.#start);
  }

  /**
   * One value: null if nothing came, the value if one did, several texts joined, others listed;
   * `collect` says otherwise.
   *
   * @param {{ collect?: Collect }} options
   * @returns {Promise<any>}
   */
  async value({ collect } = {}) {
    const values = [];
    for await (const each of this) values.push(each);
    return collected(values, collect);
  }

  /**
   * Interrupts the agent that answers: it may have something better to do than to go on, and finish
   * the reply. Throws `failed_precondition`/`not_running` where nothing runs.
   *
   * @param {unknown} [payload] What the agent is told: any value.
   * @param {SignalOptions} [options]
   * @returns {Promise<void>}
   */
  async interrupt(payload, options) {
    await this.signal('interrupt', payload, options);
  }

  /**
   * Sends a signal of the agent's own to the call that answers, past all that waits.
   *
   * @param {string} name Two segments or more: `steer.note`.
   * @param {unknown} [payload]
   * @param {SignalOptions} [options]
   * @returns {Promise<void>}
   */
  async signal(name, payload, options) {
    if (this.isDone) throw notRunning();
    await sendSignal(this.#call.client, this.#call, name, payload, options);
  }

  /** Cancels the call if it has not ended; readers get `cancelled`. */
  cancel() {
    this.#call.cancel();
  }

  /** @returns {Promise<void>} As `cancel`. */
  async [Symbol.asyncDispose]() {
    this.#call.cancel();
  }
}

/**
 * A call open in both directions: `send`, `end`, and the reply to iterate over.
 *
 * @template [T=any]
 * @extends {Reply<T>}
 */
export class Exchange extends Reply {
  #call;

  /**
   * Made by `client.open`.
   *
   * @param {OwnCall} call
   * @param {Receiving} receiving
   */
  constructor(call, receiving) {
    super(call, receiving);
    this.#call = call;
  }

  /**
   * Sends one message; resolves once the agent's window and the socket have taken it. Throws what
   * ended the call.
   *
   * @param {unknown} value
   * @param {import('./content.js').MessageOptions & { signal?: AbortSignal }} [options] `signal`
   *   cancels the call.
   * @returns {Promise<void>}
   */
  async send(value, options = {}) {
    const message = encode(value);
    if (options.type !== undefined) message.type = options.type;
    if (options.contentType !== undefined) message.contentType = options.contentType;
    if (options.ext !== undefined) message.ext = { ...message.ext, ...options.ext };
    const release = this.#call.cancelOn(options.signal);
    try {
      const sending = this.#call.sending ?? (await this.#sending());
      if (!sending.trySend(message, false)) await sending.send(message);
    } finally {
      release?.();
    }
  }

  /**
   * No more input. The reply goes on. After the end of the call, nothing.
   *
   * @returns {Promise<void>}
   */
  async end() {
    const sending = this.#call.sending ?? (await this.#sending());
    if (sending.error === undefined) await sending.finish();
  }

  /** @returns {Promise<Sending>} */
  async #sending() {
    const call = this.#call;
    while (call.sending === undefined) {
      const { sink } = call;
      if (sink.isEnded) {
        throw sink.error ?? new FailedPreconditionError('the call has ended', {
          reason: 'call_ended',
        });
      }
      await new Promise((resolve) => {
        call.whenWritten(() => resolve(undefined));
      });
    }
    return call.sending;
  }
}
