/** What an agent answers: whether it is one value or many, and how the many are sent. */

import { setImmediate as nextTurn } from 'node:timers/promises';

import { Message, Part, encode } from './content.js';

/** @typedef {import('./errors.js').Interrupted} Interrupted */
/** @typedef {import('./sending.js').Sending} Sending */

const ITEMS_PER_TURN = 128;

/** Values that an agent yields, each asked for when it can be sent. */
export class Yielding {
  /** @type {AsyncIterator<any> | Iterator<any>} */
  #iterator;
  /** @type {Promise<unknown> | undefined} */
  #left;
  /** It waits to be asked for the next. */
  #isStanding = true;
  /** @type {Interrupted | undefined} To be thrown where it stands. */
  #interrupted;

  /** @param {any} values An async iterable, or a generator. */
  constructor(values) {
    const begin = values[Symbol.asyncIterator] ?? values[Symbol.iterator];
    this.#iterator = begin.call(values);
  }

  /**
   * Sends them all, and the end. What is thrown ended it.
   *
   * @param {Sending} sending
   */
  async sendAll(sending) {
    const iterator = /** @type {AsyncIterator<any>} */ (this.#iterator);
    const isInterrupted = () => this.#interrupted !== undefined;
    try {
      for (let count = 1; ; count += 1) {
        if (!sending.maySend) await sending.ready(isInterrupted);
        this.#isStanding = false;
        const asked = isInterrupted() ? this.#interrupt() : iterator.next();
        const { done, value } = await asked;
        if (done) break;
        this.#isStanding = true;
        if (value instanceof Part) {
          if (!sending.trySendPart(value)) await sending.sendPart(value);
        } else if (value instanceof Message && value.error !== undefined) {
          await sending.sendError(value.error);
        } else {
          const message = encode(value);
          if (!sending.trySend(message, false)) await sending.send(message);
        }
        // Others have a turn, however fast this one yields.
        if (count % ITEMS_PER_TURN === 0) await nextTurn();
      }
    } catch (error) {
      await this.leave();
      throw error;
    }
    await sending.finish();
  }

  /**
   * Where it stands at a `yield`, this is thrown there: it need not be asked for more first.
   *
   * @param {Interrupted} interrupted
   * @param {Sending} sending
   */
  interrupt(interrupted, sending) {
    if (!this.#isStanding || this.#iterator.throw === undefined) return;
    this.#interrupted = interrupted;
    sending.wake();
  }

  /** @returns {IteratorResult<any> | Promise<IteratorResult<any>>} */
  #interrupt() {
    const interrupted = this.#interrupted;
    this.#interrupted = undefined;
    const { throw: raise } = /** @type {Required<AsyncIterator<any>>} */ (this.#iterator);
    return raise.call(this.#iterator, interrupted);
  }

  /**
   * Nothing more is asked for: a generator runs its `finally`, and this resolves when it has.
   *
   * @returns {Promise<unknown>}
   */
  leave() {
    this.#left ??= Promise.resolve(this.#iterator.return?.());
    return this.#left;
  }
}

/**
 * @param {unknown} value
 * @returns {value is Promise<any>}
 */
export function isPromise(value) {
  return (
    value instanceof Promise ||
    (typeof value === 'object' &&
      value !== null &&
      typeof (/** @type {any} */ (value).then) === 'function')
  );
}

/**
 * What is answered message by message: async iterables and generators, but no arrays.
 *
 * @param {any} value
 */
export function isIterator(value) {
  return (
    typeof value[Symbol.asyncIterator] === 'function' ||
    (typeof value[Symbol.iterator] === 'function' && typeof value.next === 'function')
  );
}
