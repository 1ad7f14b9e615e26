/** One call that is handled here: it runs, and ends with exactly one terminal frame. */

import { Yielding, isIterator, isPromise } from './answering.js';
import { checkReply, checked } from './checking.js';
import { encode } from './content.js';
import { Context, inContext } from './context.js';
import {
  AgentError,
  CancelledCallError,
  DeadlineExceededError,
  UnavailableError,
  interruptedBy,
} from './errors.js';
import { WINDOW_DEFAULT } from './header.js';
import { MessageReader, valueOf } from './readers.js';
import { Receiving } from './receiving.js';
import { begin } from './running.js';
import { Sending } from './sending.js';
import { hookOf } from './signals.js';

/** @typedef {import('./agents.js').Operation} Operation */
/** @typedef {import('./calls.js').OwnCall} OwnCall */
/** @typedef {import('./client.js').Client} Client */
/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./content.js').Kept} Kept */
/** @typedef {import('./errors.js').Interrupted} Interrupted */
/** @typedef {import('./header.js').Header} Header */
/** @typedef {import('./hosting.js').Hosting} Hosting */
/** @typedef {import('./hosting.js').Session} Session */
/** @typedef {import('./registration.js').Registration} Registration */

const ENDED = new CancelledCallError('the call has ended', { reason: 'cancelled' });

/** A call that is handled here: an endpoint of the connection. */
export class HostedCall {
  #sending;
  #arrivedAt;
  /** @type {AgentError | undefined} Why it is to stop. */
  #stopped;
  /** @type {Yielding | undefined} What is being answered message by message. */
  #yielding;
  /** @type {AbortController | undefined} For a cancel and for an interrupt. */
  #abort;
  /** @type {AbortController | undefined} For a cancel alone. */
  #cancelAbort;
  /** @type {Set<OwnCall> | undefined} The calls that are made for this one. */
  #children;
  /** The user's code has begun. */
  #isRunning = false;
  /** Interrupts are told to a hook, and disturb nothing. */
  #isBeside = false;

  /**
   * @param {Hosting} hosting
   * @param {Client} client
   * @param {Connection} connection
   * @param {Registration} registration
   * @param {number} id
   * @param {Header} header
   */
  constructor(hosting, client, connection, registration, id, header) {
    this.#sending = new Sending(connection, id, header.window);
    this.#arrivedAt = header.timeoutMs === 0 ? 0 : performance.now();
    this.hosting = hosting;
    this.header = header;
    this.registration = registration;
    this.context = new Context(this, header);
    this.client = client;
    this.connection = connection;
    this.id = id;
    /** @type {Receiving | undefined} What comes behind the call's own frame, and in it. */
    this.input = undefined;
    /** @type {Operation | undefined} */
    this.operation = undefined;
    /** @type {Session | undefined} */
    this.session = undefined;
    /** @type {Interrupted | undefined} The newest interruption. */
    this.interrupted = undefined;
    this.isEnded = false;
  }

  /**
   * Makes of a message of the input what the agent's function gets.
   *
   * @returns {(header: Header, content: Kept) => any}
   */
  get inputValue() {
    return (header, content) => checked(this, valueOf(header, content));
  }

  get timeLeftMs() {
    if (this.#arrivedAt === 0) return undefined;
    return this.header.timeoutMs - (performance.now() - this.#arrivedAt);
  }

  /** The user's code begins; throws where it is too late for that. */
  beginRunning() {
    if (this.#stopped !== undefined) throw this.#stopped;
    this.#isRunning = true;
  }

  /** Aborted by a cancel and by an interrupt. */
  get signal() {
    // Most calls never ask for it, and it takes longer to make than all else here.
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      const reason = this.#stopped ?? (this.#isBeside ? undefined : this.interrupted);
      if (reason !== undefined) this.#abort.abort(reason);
    }
    return this.#abort.signal;
  }

  /** Aborted by a cancel. */
  get cancelSignal() {
    if (this.#cancelAbort === undefined) {
      this.#cancelAbort = new AbortController();
      if (this.#stopped !== undefined) this.#cancelAbort.abort(this.#stopped);
    }
    return this.#cancelAbort.signal;
  }

  /**
   * Begins, with the content of the call's own frame.
   *
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   */
  start(bytes, start, end) {
    if (this.header.input) {
      this.input = new Receiving(WINDOW_DEFAULT, this);
      if (end > start) this.input.frame(this.header, bytes, start, end);
    }
    inContext(this.context, () => this.#run(bytes, start, end));
  }

  // Frames

  /**
   * @param {Header} header
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   */
  onData(header, bytes, start, end) {
    this.input?.frame(header, bytes, start, end);
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
    this.input?.end(error);
    this.#abort?.abort(error);
    this.#cancelAbort?.abort(error);
    this.#leaveYielding();
  }

  // Interrupts

  /**
   * A call made for this one has begun.
   *
   * @param {OwnCall} call
   */
  adopt(call) {
    this.#children ??= new Set();
    this.#children.add(call);
  }

  /** @param {OwnCall} call */
  disown(call) {
    this.#children?.delete(call);
  }

  /**
   * Somebody wants this call to do something better. A hook is told so beside it; without one the
   * signal is aborted and child calls in flight end, once: then the agent is finishing.
   *
   * @param {Interrupted} interrupted
   */
  interrupt(interrupted) {
    if (this.isEnded || this.#stopped !== undefined) return;
    const isFirst = this.interrupted === undefined;
    this.interrupted = interrupted;
    const hook = hookOf(this.registration, this.session, 'onInterrupt');
    if (hook !== undefined) {
      this.#isBeside = true;
      this.#tell(hook, interrupted);
    } else if (!this.#isRunning) {
      this.#stop(interrupted);
    } else if (isFirst) {
      this.#abort?.abort(interrupted);
      this.#leaveChildren(interrupted);
      this.#yielding?.interrupt(interrupted);
    }
  }

  /**
   * @param {Function} hook
   * @param {Interrupted} interrupted
   */
  async #tell(hook, interrupted) {
    try {
      await inContext(this.context, () => hook(interrupted.payload, this.context));
    } catch (error) {
      if (this.isEnded || this.#stopped !== undefined) return;
      this.#logFailure(error);
      this.#leaveChildren(/** @type {AgentError} */ (error));
      this.#stop(/** @type {AgentError} */ (error));
    }
  }

  /** @param {AgentError} error */
  #leaveChildren(error) {
    for (const child of [...(this.#children ?? [])]) child.leave(error);
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
    if (this.input === undefined) {
      this.input = new Receiving(WINDOW_DEFAULT, this);
      this.input.end();
    }
    return new MessageReader(this.input, this.input.taken, convert);
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
      result = begin(this, bytes, start, end);
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

  /** @param {any} value */
  #answer(value) {
    try {
      if (value === undefined) {
        this.#sending.end();
        this.#end();
        return;
      }
      if (typeof value !== 'object' || value === null || !isIterator(value)) {
        checkReply(this, value);
        const message = encode(value);
        if (this.#sending.trySend(message, true)) this.#end();
        else this.#endAfter(this.#sending.send(message, { isEnd: true }));
        return;
      }
      this.#yielding = new Yielding(this, this.#sending, value);
      this.#endAfter(this.#yielding.sendAll());
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
      this.hosting.log(`leaving ${this.header.to} failed`, error);
    }
  }

  /** @param {unknown} thrown */
  #fail(thrown) {
    const interrupted = this.interrupted && interruptedBy(thrown);
    if (this.#stopped === undefined && interrupted === undefined) this.#logFailure(thrown);
    this.#finish(this.#stopped ?? interrupted ?? thrown, true);
  }

  /** @param {unknown} thrown */
  #logFailure(thrown) {
    if (thrown instanceof AgentError) return;
    this.hosting.log(`${this.header.to} failed`, thrown);
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
      this.input?.end();
      this.connection.open.delete(this.id);
      if (isFailed) this.connection.writeError(this.id, thrown);
      if (this.#children !== undefined) {
        for (const child of [...this.#children]) child.parentAnswered();
      }
    }
    this.hosting.ended(this, this.session);
  }
}
