/** One call that is handled here: it runs, and ends with exactly one terminal frame. */

import { Yielding, isIterator, isPromise } from './answering.js';
import { decode, encode, keep } from './content.js';
import { Context, inContext } from './context.js';
import {
  AgentError,
  CancelledCallError,
  DeadlineExceededError,
  InvalidArgumentError,
  UnavailableError,
} from './errors.js';
import { WINDOW_DEFAULT } from './header.js';
import { MessageReader, messageOf, valueOf } from './readers.js';
import { Receiving } from './receiving.js';
import { Reply } from './reply.js';
import { mismatch } from './schema.js';
import { Sending } from './sending.js';

/** @typedef {import('./agents.js').Operation} Operation */
/** @typedef {import('./client.js').Client} Client */
/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./content.js').Kept} Kept */
/** @typedef {import('./header.js').Header} Header */
/** @typedef {import('./hosting.js').Hosting} Hosting */
/** @typedef {import('./hosting.js').Session} Session */
/** @typedef {import('./registration.js').Registration} Registration */

const ENDED = new CancelledCallError('the call has ended', { reason: 'cancelled' });

/** A call that is handled here: an endpoint of the connection. */
export class HostedCall {
  #hosting;
  #header;
  #registration;
  #sending;
  #context;
  #arrivedAt;
  /** @type {Receiving | undefined} */
  #input;
  /** @type {Operation | undefined} */
  #operation;
  /** @type {Session | undefined} */
  #session;
  /** @type {AgentError | undefined} Why it is to stop. */
  #stopped;
  /** @type {Yielding | undefined} What is being answered message by message. */
  #yielding;
  /** @type {AbortController | undefined} */
  #abort;

  /**
   * @param {Hosting} hosting
   * @param {Client} client
   * @param {Connection} connection
   * @param {Registration} registration
   * @param {number} id
   * @param {Header} header
   */
  constructor(hosting, client, connection, registration, id, header) {
    this.#hosting = hosting;
    this.#header = header;
    this.#registration = registration;
    this.#sending = new Sending(connection, id, header.window);
    this.#arrivedAt = header.timeoutMs === 0 ? 0 : performance.now();
    this.#context = new Context(this, header);
    this.client = client;
    this.connection = connection;
    this.id = id;
    this.isEnded = false;
  }

  /**
   * Makes of a message of the input what the agent's function gets.
   *
   * @returns {(header: Header, content: Kept) => any}
   */
  get inputValue() {
    return (header, content) => this.#checked(valueOf(header, content));
  }

  get timeLeftMs() {
    if (this.#arrivedAt === 0) return undefined;
    return this.#header.timeoutMs - (performance.now() - this.#arrivedAt);
  }

  get signal() {
    // Most calls never ask for it, and it takes longer to make than all else here.
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#stopped !== undefined) this.#abort.abort(this.#stopped);
    }
    return this.#abort.signal;
  }

  /**
   * Begins, with the content of the call's own frame.
   *
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   */
  start(bytes, start, end) {
    if (this.#header.input) {
      this.#input = new Receiving(WINDOW_DEFAULT, this);
      if (end > start) this.#input.frame(this.#header, bytes, start, end);
    }
    inContext(this.#context, () => this.#run(bytes, start, end));
  }

  // Frames

  /**
   * @param {Header} header
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   */
  onData(header, bytes, start, end) {
    this.#input?.frame(header, bytes, start, end);
  }

  /** @param {number} bytes */
  onCredit(bytes) {
    this.#sending.credit(bytes);
  }

  onOk() {}

  /** @param {AgentError} error */
  onError(error) {
    this.#stop(error);
  }

  /** @param {string} reason */
  onCancel(reason) {
    const Stopped = reason === 'deadline' ? DeadlineExceededError : CancelledCallError;
    this.#stop(new Stopped('the call was cancelled', { reason: reason || 'cancelled' }));
  }

  /** @param {AgentError} error */
  onLost(error) {
    this.isEnded = true;
    this.#stop(
      new UnavailableError(error.message, { reason: 'connection_lost', cause: error }),
    );
  }

  /** @param {AgentError} error */
  #stop(error) {
    if (this.#stopped !== undefined) return;
    this.#stopped = error;
    this.#sending.close(error);
    this.#input?.end(error);
    this.#abort?.abort(error);
    this.#leaveYielding();
  }

  // Input

  /** @param {number} bytes */
  grant(bytes) {
    if (!this.isEnded) {
      this.connection.write(`{"op":"credit","id":${this.id},"bytes":${bytes}}`);
    }
  }

  /** Nobody reads the input any more: its sender stands still at the end of its window. */
  abandoned() {}

  /**
   * Reads the input behind what was read of it before.
   *
   * @template T
   * @param {(header: Header, content: Kept) => T} convert
   * @returns {MessageReader<T>}
   */
  inputReader(convert) {
    if (this.#input === undefined) {
      this.#input = new Receiving(WINDOW_DEFAULT, this);
      this.#input.end();
    }
    return new MessageReader(this.#input, this.#input.taken, convert);
  }

  /**
   * @param {any} value
   * @returns {any}
   */
  #checked(value) {
    const wrong = mismatch(this.#operation?.input, value);
    if (wrong === '') return value;
    throw new InvalidArgumentError(wrong, { reason: 'bad_content' });
  }

  // Running

  /**
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   */
  #run(bytes, start, end) {
    let result;
    try {
      const isBare = this.#header.input && start === end && this.#header.type === '';
      if (isBare) {
        // What kind of message it is, and what it says, comes with the first of the input.
        result = this.#runWithInput();
      } else {
        const operation = this.#choose(this.#header.type);
        result = this.#handle(operation, this.#argument(operation, bytes, start, end));
      }
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (isPromise(result)) {
      result.then((value) => this.#answer(value), (error) => this.#fail(error));
    } else {
      this.#answer(result);
    }
  }

  /**
   * @param {string} type
   * @returns {Operation}
   */
  #choose(type) {
    this.#operation = this.#registration.spec.operation(type);
    return this.#operation;
  }

  /** @returns {Promise<unknown>} */
  async #runWithInput() {
    const input = /** @type {Receiving} */ (this.#input);
    const { spec } = this.#registration;
    let type = '';
    if (spec.operations.length > 1) {
      if (input.isEmpty && !input.isEnded) await arrival(input);
      type = input.taken.next?.header.type ?? '';
    }
    const operation = this.#choose(type);
    return this.#handle(operation, this.#argument(operation, Buffer.alloc(0), 0, 0));
  }

  /**
   * What the function gets, or a promise of it.
   *
   * @param {Operation} operation
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   * @returns {any}
   */
  #argument(operation, bytes, start, end) {
    const { receives } = operation;
    const header = this.#header;
    if (receives === 'values' || receives === 'messages') {
      if (this.#input === undefined) {
        this.#input = new Receiving(WINDOW_DEFAULT, this);
        const isMessage = end > start || header.type !== '' || header.contentType !== '';
        if (isMessage) this.#input.frame(header, bytes, start, end);
        this.#input.end();
      }
      return this.inputReader(receives === 'values' ? this.inputValue : messageOf);
    }
    if (this.#input !== undefined) {
      const convert = receives === 'value' ? this.inputValue : messageOf;
      return this.#first(/** @type {(header: Header, content: Kept) => any} */ (convert));
    }
    if (receives === 'message') return messageOf(header, keep(bytes, start, end));
    if (start === end && header.type === '' && header.contentType === '') {
      return operation.input === undefined ? undefined : this.#checked(undefined);
    }
    return this.#checked(decode(bytes, start, end, header.contentType));
  }

  /**
   * The first message of the input; undefined if it ends before.
   *
   * @param {(header: Header, content: Kept) => any} convert
   */
  async #first(convert) {
    const reader = this.inputReader(convert);
    const { value, done } = await reader.next();
    reader.leave();
    return done && this.#operation?.input !== undefined ? this.#checked(undefined) : value;
  }

  /**
   * @param {Operation} operation
   * @param {any} argument
   * @returns {unknown}
   */
  #handle(operation, argument) {
    if (this.#registration.spec.cls === undefined && !isPromise(argument)) {
      return operation.work.call(undefined, argument, this.#context);
    }
    return this.#handleLater(operation, argument);
  }

  /**
   * @param {Operation} operation
   * @param {any} argument
   * @returns {unknown}
   */
  #handleLater(operation, argument) {
    if (this.#registration.spec.cls !== undefined) {
      this.#session = this.#hosting.session(this.#registration, this.#context);
      const { instance } = this.#session;
      if (isPromise(argument) || isPromise(instance)) {
        return Promise.all([instance, argument]).then(([made, value]) =>
          operation.work.call(made, value, this.#context),
        );
      }
      return operation.work.call(instance, argument, this.#context);
    }
    return argument.then((/** @type {any} */ value) =>
      operation.work.call(undefined, value, this.#context),
    );
  }

  /** @param {any} value */
  #answer(value) {
    try {
      if (value === undefined) {
        this.#sending.end();
        this.#end();
        return;
      }
      if (typeof value !== 'object' || value === null || !isIterator(value)) {
        const message = encode(value);
        if (this.#sending.trySend(message, true)) this.#end();
        else this.#endAfter(this.#sending.send(message, { isEnd: true }));
        return;
      }
      const source = value instanceof Reply ? value.messages({ errors: true }) : value;
      this.#yielding = new Yielding(source);
      this.#endAfter(this.#yielding.sendAll(this.#sending));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @param {Promise<void>} work */
  #endAfter(work) {
    work.then(() => this.#end(), (error) => this.#fail(error));
  }

  async #leaveYielding() {
    try {
      await this.#yielding?.leave();
    } catch (error) {
      this.#hosting.log(`leaving ${this.#header.to} failed`, error);
    }
  }

  /** @param {unknown} thrown */
  #fail(thrown) {
    if (this.#stopped === undefined && !(thrown instanceof AgentError)) {
      this.#hosting.log(`${this.#header.to} failed`, thrown);
    }
    this.#finish(this.#stopped ?? thrown, true);
  }

  #end() {
    this.#finish(this.#stopped, this.#stopped !== undefined);
  }

  /**
   * The one terminal frame.
   *
   * @param {unknown} thrown
   * @param {boolean} isFailed
   */
  #finish(thrown, isFailed) {
    if (!this.isEnded) {
      this.isEnded = true;
      this.#sending.close(ENDED);
      this.#input?.end();
      this.connection.open.delete(this.id);
      if (isFailed) this.connection.writeError(this.id, thrown);
    }
    this.#hosting.ended(this, this.#session);
  }
}

/**
 * Resolves once something has come.
 *
 * @param {Receiving} input
 */
function arrival(input) {
  return new Promise((resolve) => {
    input.wait({ wake: () => resolve(undefined) });
  });
}
