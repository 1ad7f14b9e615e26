/** What an agent answers: whether it is one value or many, and how the many are sent. */

import { setImmediate as nextTurn } from 'node:timers/promises';

import { badSplice, spliced } from './call-errors.js';
import { checkReply } from './checking.js';
import { Message, Part, encode } from './content.js';
import { OutOfOrder } from './delegating.js';
import { Interrupted } from './errors.js';
import { Reply } from './reply.js';

/** @typedef {import('./calls.js').OwnCall} OwnCall */
/** @typedef {import('./hosted-call.js').HostedCall} HostedCall */
/** @typedef {import('./readers.js').MessageReader<Message>} MessageReader */
/** @typedef {import('./sending.js').Sending} Sending */

const ITEMS_PER_TURN = 128;

/** Values that an agent yields, each asked for when it can be sent. */
export class Yielding {
  #call;
  #sending;
  /** @type {AsyncIterator<any> | Iterator<any>} */
  #iterator;
  /** @type {Promise<unknown> | undefined} */
  #left;
  /** It waits to be asked for the next. */
  #isStanding = true;
  /** @type {Interrupted | undefined} To be thrown where it stands. */
  #interrupted;
  /** @type {MessageReader | undefined} A reply that is being copied. */
  #copied;

  /**
   * @param {HostedCall} call
   * @param {Sending} sending Where they go.
   * @param {any} values An async iterable, or a generator; a reply, or what is out of order.
   */
  constructor(call, sending, values) {
    this.#call = call;
    this.#sending = sending;
    if (values instanceof Reply) this.#iterator = returning(values);
    else if (values instanceof OutOfOrder) this.#iterator = [values].values();
    else {
      const begin = values[Symbol.asyncIterator] ?? values[Symbol.iterator];
      this.#iterator = begin.call(values);
    }
  }

  /** Sends them all, and the end. What is thrown ended it. */
  async sendAll() {
    const sending = this.#sending;
    const iterator = /** @type {AsyncIterator<any>} */ (this.#iterator);
    const isInterrupted = () => this.#interrupted !== undefined;
    let last;
    try {
      for (let count = 1; ; count += 1) {
        if (!sending.maySend) await sending.ready(isInterrupted);
        this.#isStanding = false;
        const asked = isInterrupted() ? this.#interrupt() : iterator.next();
        const { done, value } = await asked;
        if (done) {
          last = value;
          break;
        }
        this.#isStanding = true;
        checkReply(this.#call, value);
        const sent = this.#send(value);
        if (sent !== undefined) await sent;
        // Others have a turn, however fast this one yields.
        if (count % ITEMS_PER_TURN === 0) await nextTurn();
      }
      if (last instanceof Reply) await this.#pass(last, { isEnd: true });
      else await sending.finish();
    } catch (error) {
      await this.leave();
      throw error;
    }
  }

  /**
   * Where it stands at a `yield`, this is thrown there: it need not be asked for more first.
   *
   * @param {Interrupted} interrupted
   */
  interrupt(interrupted) {
    if (!this.#isStanding || this.#iterator.throw === undefined) return;
    this.#interrupted = interrupted;
    this.#sending.wake();
  }

  /**
   * Nothing more is asked for: a generator runs its `finally`, and this resolves when it has.
   *
   * @returns {Promise<unknown>}
   */
  leave() {
    this.#copied?.leave();
    this.#left ??= Promise.resolve(this.#iterator.return?.());
    return this.#left;
  }

  /** @returns {IteratorResult<any> | Promise<IteratorResult<any>>} */
  #interrupt() {
    const interrupted = this.#interrupted;
    this.#interrupted = undefined;
    const { throw: raise } = /** @type {Required<AsyncIterator<any>>} */ (this.#iterator);
    return raise.call(this.#iterator, interrupted);
  }

  /**
   * Sends one value; what it returns is to be waited for, if anything is.
   *
   * @param {any} value
   * @returns {Promise<void> | undefined}
   */
  #send(value) {
    const sending = this.#sending;
    if (typeof value === 'object' && value !== null) {
      if (value instanceof Part) {
        return sending.trySendPart(value) ? undefined : sending.sendPart(value);
      }
      if (value instanceof Message && value.error !== undefined) {
        return sending.sendError(value.error);
      }
      if (value instanceof Reply) return this.#pass(value, {});
      if (value instanceof OutOfOrder) return this.#sendUnordered(value.value);
    }
    const message = encode(value);
    return sending.trySend(message, false) ? undefined : sending.send(message);
  }

  /** @param {any} value */
  async #sendUnordered(value) {
    if (value instanceof Reply) await this.#pass(value, { isUnordered: true });
    else await this.#sending.sendUnordered(encode(value));
  }

  /**
   * The replies of another call stand here: spliced where they can be, else copied.
   *
   * @param {Reply} reply
   * @param {{ isEnd?: boolean, isUnordered?: boolean }} how
   */
  async #pass(reply, how) {
    const call = Reply.callOf(reply);
    if (checkSpliceable(call, this.#call)) await this.#sending.splice(call, how);
    else await this.#copy(reply, how);
  }

  /**
   * @param {Reply} reply
   * @param {{ isEnd?: boolean, isUnordered?: boolean }} how
   */
  async #copy(reply, { isEnd, isUnordered }) {
    const sending = this.#sending;
    const reader = /** @type {MessageReader} */ (reply.messages({ errors: true }));
    this.#copied = reader;
    try {
      for await (const message of reader) {
        if (message.error !== undefined) await sending.sendError(message.error);
        else if (isUnordered) await sending.sendUnordered(encode(message));
        else await sending.send(encode(message));
      }
    } catch (error) {
      if (isEnd || error !== reply.error) throw error;
      if (error instanceof Interrupted) {
        if (this.#interrupted === undefined) throw error;
        return; // It is thrown where the agent stands, which may go on.
      }
      await sending.sendError(/** @type {import('./errors.js').AgentError} */ (error));
    } finally {
      this.#copied = undefined;
    }
    if (isEnd) await sending.finish();
  }
}

/**
 * Whether a call is open for this one and nothing of it was asked for, so that it can be spliced
 * into its replies. Throws where it never can be, nor be copied.
 *
 * @param {OwnCall} call
 * @param {HostedCall} into
 * @returns {boolean}
 */
function checkSpliceable(call, into) {
  const { parent, isHeld, isDelegated, address } = call.request;
  if (call.isSpliced) throw spliced(address);
  if (!isHeld || call.isStarted || call.id === 0) return false;
  if (parent === into) return true;
  if (isDelegated) throw badSplice(address);
  return false;
}

/** @param {Reply} reply */
function* returning(reply) {
  return reply;
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
    (typeof value[Symbol.iterator] === 'function' && typeof value.next === 'function') ||
    value instanceof OutOfOrder
  );
}
