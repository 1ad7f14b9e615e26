/** An agent registered with the sidecar, for as long as it is. */

import { AgentSpec } from './agents.js';
import './disposal.js';
import { checkHeader } from './error-header.js';
import { InvalidArgumentError } from './errors.js';
import { registerRest, subscribeRest } from './header.js';
import { onAbort } from './abort-signals.js';
import { Feed } from './topics.js';

/** @typedef {import('./agents.js').AgentClass} AgentClass */
/** @typedef {import('./agents.js').AgentFunction} AgentFunction */
/** @typedef {import('./agents.js').OperationOptions} OperationOptions */
/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./context.js').Context} Context */
/** @typedef {import('./errors.js').AgentError} AgentError */
/** @typedef {import('./header.js').RegisterWords} RegisterWords */
/** @typedef {import('./signals.js').Signal} Signal */

/**
 * @typedef {object} Making
 * @property {(context: Context) => object | Promise<object>} [make] Makes the instances of a class,
 *   in place of `new`.
 * @property {AbortSignal} [signal] Ends the registration.
 * @property {ReadonlyArray<string>} [topics] The topics, or patterns, that feed the agent: a
 *   message of source `s` comes to its session `s`, as one that nobody answers.
 */

/**
 * @typedef {object} Hooks
 * @property {(payload: any, context: Context) => unknown} [onInterrupt] Is told when a call of the
 *   agent is interrupted, beside it: the call is not disturbed. What it throws ends the call. Of a
 *   class, an instance's own method `onInterrupt` comes first.
 * @property {(name: string, payload: any, signal: Signal) => unknown} [onSignal] Takes the agent's
 *   own signals. What it throws goes to their sender. Of a class, an instance's own method
 *   `onSignal` comes first.
 */

/** @typedef {RegisterWords & OperationOptions & Making & Hooks} RegisterOptions */

const REGISTER_BYTES_MAX = 256 * 1024;

/**
 * Whom a registration belongs to.
 *
 * @typedef {object} Registrar
 * @property {(registration: Registration) => void} registering Calls may come from now on.
 * @property {(registration: Registration) => void} withdrawn No new calls come.
 * @property {(registration: Registration) => void} forget It is not made again.
 * @property {(message: string, error?: unknown) => void} log
 */

/** Made by `client.register`. After a reconnect it is made again by itself. */
export class Registration {
  #registrar;
  #make;
  #rest;
  #content;
  /** @type {Connection | undefined} */
  #connection;
  #id = 0;
  #release = () => {};
  #isWanted = true;
  #isAnswered = false;
  #topics;
  /** How many answers of the sidecar are missing, its topics' included. */
  #unanswered = 0;
  /** @type {AgentError | undefined} Why a topic does not feed it. */
  #notFed;
  /** No connection will come any more. */
  #isFinal = false;
  /** @type {Array<() => void>} */
  #waiters = [];

  /**
   * @param {Registrar} registrar
   * @param {string} name
   * @param {AgentFunction | AgentClass} target
   * @param {RegisterOptions} options
   */
  constructor(registrar, name, target, options) {
    this.#registrar = registrar;
    this.name = name;
    this.spec = new AgentSpec(name, target, options);
    /** @type {AgentError | undefined} Why the sidecar refused or ended it. */
    this.error = undefined;
    this.#make = options.make;
    this.onInterrupt = options.onInterrupt;
    this.onSignal = options.onSignal;
    this.#topics = [...(options.topics ?? [])];
    for (const topic of this.#topics) checkHeader(subscribeRest(topic, undefined, name));
    this.#rest = registerRest(name, options);
    this.#content = this.spec.content();
    checkHeader(this.#rest);
    const size = Buffer.byteLength(this.#rest) + Buffer.byteLength(this.#content);
    if (size > REGISTER_BYTES_MAX) {
      throw new InvalidArgumentError(
        `the schemas of ${name} take ${size} bytes; the limit is ${REGISTER_BYTES_MAX}`,
        { reason: 'too_large' },
      );
    }
  }

  /** Calls from any connection reach it now. */
  get isRegistered() {
    return this.#isAnswered && this.error === undefined && this.#id !== 0;
  }

  /**
   * Resolves with the sidecar's answer; throws the error if it refused.
   *
   * @returns {Promise<this>}
   */
  async ready() {
    while (!this.#isAnswered) await this.#change();
    if (this.error !== undefined) throw this.error;
    return this;
  }

  /**
   * Takes nothing new; calls in flight finish, sessions close. Resolves once nobody finds it here.
   *
   * @returns {Promise<void>}
   */
  async close() {
    if (this.#isWanted) {
      this.#isWanted = false;
      this.#release();
      this.#registrar.forget(this);
      if (this.#id !== 0) this.#connection?.write(`{"op":"cancel","id":${this.#id}}`);
    }
    while (this.#id !== 0) await this.#change();
    this.#registrar.withdrawn(this);
  }

  /** @returns {Promise<void>} As `close`. */
  async [Symbol.asyncDispose]() {
    await this.close();
  }

  /**
   * Lets a signal end it.
   *
   * @internal
   * @param {AbortSignal | undefined} signal
   */
  endOn(signal) {
    this.#release = onAbort(signal, () => this.close());
  }

  /**
   * A new instance for a session, or undefined where a function is the agent.
   *
   * @internal
   * @param {Context} context
   * @returns {object | Promise<object> | undefined}
   */
  make(context) {
    const { cls } = this.spec;
    if (cls === undefined) return undefined;
    return this.#make === undefined ? new cls(context) : this.#make(context);
  }

  /**
   * Writes `register`; calls may follow on the connection at once.
   *
   * @internal
   * @param {Connection} connection
   */
  start(connection) {
    this.#connection = connection;
    this.#isAnswered = false;
    this.#registrar.registering(this);
    this.#id = connection.openId(this, 'register', this.#rest, this.#content);
    this.#notFed = undefined;
    this.#unanswered = 1 + this.#topics.length;
    for (const topic of this.#topics) new Feed(this, connection, topic);
  }

  /**
   * The client has ended for good.
   *
   * @internal
   * @param {AgentError} error
   */
  failed(error) {
    this.#isFinal = true;
    if (this.#isAnswered) return;
    this.error = error;
    this.#answered();
  }

  // Frames

  /** @internal */
  onData() {}

  /** @internal */
  onCredit() {}

  /** @internal */
  onCancel() {}

  /** @internal */
  onOk() {
    this.#unanswered -= 1;
    if (this.#unanswered > 0) return;
    this.error = undefined;
    this.#answered();
  }

  /**
   * A topic does not feed the agent: it is withdrawn, for it would wait in vain. That the
   * subscription ends with the registration is no news.
   *
   * @internal
   * @param {AgentError} error
   * @param {Connection} connection
   */
  notFed(error, connection) {
    const isExpected = error.code === 'cancelled' || error.reason === 'draining';
    const isNews = this.#notFed === undefined && !isExpected;
    if (!isNews || !this.#isWanted || this.#id === 0 || connection !== this.#connection) return;
    this.#notFed = error;
    connection.write(`{"op":"cancel","id":${this.#id}}`);
  }

  /**
   * @internal
   * @param {AgentError} error
   */
  onError(error) {
    this.#connection?.open.delete(this.#id);
    this.#id = 0;
    this.#registrar.withdrawn(this);
    // A connection that drains closes soon, and the next one takes it.
    const isLeaving = this.#connection?.isDraining && error.reason === 'draining';
    if (this.#isWanted && isLeaving) return;
    if (this.#isWanted) {
      this.error = this.#notFed ?? error;
      if (this.#waiters.length === 0) {
        this.#registrar.log(`agent ${this.name} is not registered`, error);
      }
    }
    this.#answered();
  }

  /** @internal */
  onLost() {
    this.#id = 0;
    this.#registrar.withdrawn(this);
    this.#connection = undefined;
    this.#isAnswered = !this.#isWanted || this.#isFinal;
    if (!this.#isWanted) this.#wake();
  }

  /**
   * The operator drained the connection, which stays: it has ended without an answer, and a
   * connection that comes later takes it.
   *
   * @internal
   * @param {AgentError} error
   */
  drained(error) {
    this.#connection?.open.delete(this.#id);
    this.#id = 0;
    this.#registrar.withdrawn(this);
    this.error = error;
    this.#answered();
  }

  #answered() {
    this.#isAnswered = true;
    this.#wake();
  }

  /** @returns {Promise<void>} */
  #change() {
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
    });
  }

  #wake() {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}
