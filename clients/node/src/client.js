/** A client: its connection, made again when it is lost, and what lives on it. */

import { setTimeout as delay } from 'node:timers/promises';

import { onAbort } from './abort-signals.js';
import { checkName, defaultToken, parseUrl } from './address.js';
import { Connection } from './connection.js';
import { currentCall, inContext } from './context.js';
import './disposal.js';
import {
  AgentError,
  AlreadyExistsError,
  CancelledCallError,
  UnavailableError,
  isBrokenPipe,
} from './errors.js';
import { helloHeader } from './header.js';
import { Hosting } from './hosting.js';
import { debugging } from './log.js';
import { runProgram } from './program.js';
import { Registration } from './registration.js';
import { signalled } from './signals.js';
import { Steering } from './steering.js';
import { VERSION } from './version.js';

/** @typedef {import('./agents.js').AgentClass} AgentClass */
/** @typedef {import('./agents.js').AgentFunction} AgentFunction */
/** @typedef {import('./options.js').ConnectOptions} ConnectOptions */
/** @typedef {import('./registration.js').RegisterOptions} RegisterOptions */

const HELLO_MS = 5000;
const PATIENCE_MS = 100;
const CLOSE_MS = 5000;
const DRAIN_MS = 10_000;
/** How long those it calls may take to come back once it has. */
const REJOIN_MS = 5000;
const BACKOFF_MS = 100;
const BACKOFF_MS_MAX = 5000;
const FIRST_BACKOFF_MS_MAX = 1000;
/** Another try would get the same answer. */
const FINAL = new Set([
  'unauthenticated',
  'permission_denied',
  'failed_precondition',
  'invalid_argument',
]);

/** Connected by `connect`. A connection that is lost is made again, agents included. */
export class Client extends Steering {
  #options;
  #hosting;
  #log;
  /** @type {Set<Registration>} */
  #registrations = new Set();
  /** @type {Array<() => void>} Who waits for the connection to become welcome or lost. */
  #waiters = [];
  #isClosed = false;
  #wasWelcome = false;
  /** The operator has drained the connection: nothing is hosted by it any more. */
  #isDrained = false;
  #stopReconnecting = new AbortController();
  /** @type {Promise<void> | undefined} */
  #closing;

  /**
   * @internal
   * @param {string} url
   * @param {ConnectOptions} options
   */
  constructor(url, options) {
    super(options.repeats ?? 3);
    /** Where the sidecar is. */
    this.url = url;
    this.#options = options;
    this.#log = options.log ?? debugging;
    this.#hosting = new Hosting(this, this.#log);
  }

  /** There is a connection at this moment. */
  get isConnected() {
    return this.connection?.isOpen ?? false;
  }

  /**
   * Registers an agent; resolves once calls from anywhere reach it.
   *
   * @template {AgentFunction | AgentClass} T
   * @param {string} name
   * @param {T & import('./agents.js').Checked<T>} target A function, or a class with an instance
   *   for each session.
   * @param {RegisterOptions} [options]
   * @returns {Promise<Registration>}
   */
  async register(name, target, options = {}) {
    checkName(name);
    const { signal } = options;
    signal?.throwIfAborted();
    if (this.endError !== undefined) throw this.endError;
    for (const each of this.#registrations) {
      if (each.name !== name) continue;
      throw new AlreadyExistsError(`${name} is registered here`, { reason: 'name_registered' });
    }
    const registration = new Registration(this.#registrar, name, target, options);
    this.#registrations.add(registration);
    const { connection } = this;
    // Of one that drains the next connection takes it.
    const isFit = connection?.error === undefined && !connection?.isDraining;
    if (connection !== undefined && isFit) registration.start(connection);
    registration.endOn(signal);
    try {
      return await registration.ready();
    } catch (error) {
      this.#registrations.delete(registration);
      throw error;
    }
  }

  /**
   * Ends open calls, running agents and sessions, says goodbye and closes. Agents get 5 s for what
   * they do when their `signal` is aborted.
   *
   * @returns {Promise<void>}
   */
  close() {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /**
   * Takes no new calls, lets those it handles finish, then closes.
   *
   * @param {{ timeoutMs?: number, signal?: AbortSignal }} options How long they may take (10 s);
   *   the signal ends the waiting.
   * @returns {Promise<void>}
   */
  async drain({ timeoutMs = DRAIN_MS, signal } = {}) {
    const { connection } = this;
    if (connection !== undefined && connection.isOpen) {
      connection.goodbye('drain', Math.max(0, Math.round(timeoutMs)));
      let release = () => {};
      const hurried = new Promise((resolve) => {
        if (signal?.aborted) resolve(undefined);
        release = onAbort(signal, () => resolve(undefined));
      });
      const finished = async () => {
        await connection.roundTrip(); // The calls that were on their way are here then.
        await this.#hosting.idle(timeoutMs, currentCall());
      };
      await Promise.race([finished(), hurried]);
      release();
    }
    await this.close();
  }

  /**
   * Resolves when the client is closed, or when the sidecar's operator has drained it and it is
   * done with what it handles; throws what else ends it.
   *
   * @param {{ signal?: AbortSignal }} options The signal ends the waiting, with `cancelled`.
   * @returns {Promise<void>}
   */
  async serve({ signal } = {}) {
    while (this.endError === undefined && !this.#isDrained) await this.#change(signal);
    if (!this.#isClosed && !this.#isDrained) throw this.endError;
  }

  /**
   * For a program that only hosts: serves until SIGINT or SIGTERM, or until the operator drains it,
   * then drains; told twice, it closes at once.
   *
   * @returns {Promise<void>}
   */
  async run() {
    await runProgram(this);
  }

  /** @returns {Promise<void>} As `close`. */
  async [Symbol.asyncDispose]() {
    await this.close();
  }

  /**
   * @internal
   * @param {AbortSignal} [signal]
   * @param {(connection: Connection) => boolean} [isFit]
   */
  async connected(signal, isFit = (connection) => connection.isOpen) {
    while (this.connection === undefined || !isFit(this.connection)) {
      if (this.endError !== undefined) throw this.endError;
      await this.#change(signal);
    }
    return this.connection;
  }

  /**
   * The first connection.
   *
   * @internal
   * @param {AbortSignal | undefined} signal
   */
  async start(signal) {
    const until = performance.now() + (this.#options.waitMs ?? 0);
    for (let delayMs = BACKOFF_MS / 2; ; delayMs = Math.min(delayMs * 2, FIRST_BACKOFF_MS_MAX)) {
      try {
        await this.#connect(signal);
        break;
      } catch (error) {
        const isFinal = !(error instanceof AgentError) || FINAL.has(error.code) || signal?.aborted;
        if (isFinal || performance.now() + delayMs > until) {
          this.#finish(/** @type {AgentError} */ (error));
          throw error;
        }
      }
      await delay(delayMs, undefined, { signal }).catch(() => {}); // The next try says why.
    }
    onAbort(signal, () => this.close());
  }

  /**
   * Opens the socket, says hello, registers; resolves once welcome.
   *
   * @param {AbortSignal | undefined} signal
   * @param {number} [greetAfterMs]
   * @returns {Promise<void>}
   */
  async #connect(signal, greetAfterMs = 0) {
    if (signal?.aborted) throw givenUp(signal);
    const where = parseUrl(this.url);
    const token = this.#options.token ?? defaultToken();
    const hello = helloHeader(this.#options.name ?? '', token, `coagent-client-node/${VERSION}`);
    // What the socket calls back belongs to no call that is being handled here.
    const owner = this.#owner;
    const open = () => new Connection(owner, where, hello, HELLO_MS, greetAfterMs);
    const connection = inContext(undefined, open);
    const abort = () => connection.abort(givenUp(/** @type {AbortSignal} */ (signal)));
    const release = onAbort(signal, abort);
    try {
      while (!connection.isWelcome && connection.error === undefined) await this.#change();
    } finally {
      release();
    }
    if (connection.error === undefined) return;
    // It closed before it read hello, and Node drops what it said when a write fails: once more,
    // and it speaks first.
    const isRefused = greetAfterMs === 0 && isBrokenPipe(connection.error.cause);
    if (isRefused) return this.#connect(signal, PATIENCE_MS);
    if (connection !== this.connection && connection.error.cause !== undefined) {
      throw new UnavailableError(
        `cannot reach the sidecar at ${this.url} (${connection.error.message}); ` +
          'is coagentd running?',
        { reason: 'connection_lost', retry: true, cause: connection.error.cause },
      );
    }
    throw connection.error;
  }

  async #close() {
    this.#isClosed = true;
    this.#finish(new UnavailableError('the client was closed', { reason: 'connection_lost' }));
    this.#stopReconnecting.abort();
    const { connection } = this;
    connection?.close();
    await this.#hosting.idle(CLOSE_MS, currentCall());
    if (connection !== undefined) {
      const timer = setTimeout(() => connection.discard(), CLOSE_MS);
      await connection.closed;
      clearTimeout(timer);
    }
  }

  /**
   * No connection will come any more.
   *
   * @param {AgentError} error
   */
  #finish(error) {
    if (this.endError !== undefined) return;
    this.endError = error;
    this.forgetDeadlines();
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const call of waiting) call.onLost(error);
    for (const registration of this.#registrations) registration.failed(error);
    for (const reader of [...this.readers]) reader.end(error);
    this.#wake();
  }

  // What others report

  /** @type {import('./endpoint.js').Owner} */
  #owner = {
    opened: (connection) => {
      // Hello is written; what follows need not wait for the welcome.
      this.connection = connection;
      for (const each of [...this.#registrations, ...this.readers]) each.start(connection);
    },
    welcomed: () => {
      if (this.#wasWelcome) this.rejoiningUntil = performance.now() + REJOIN_MS;
      this.#wasWelcome = true;
      this.#isDrained = false;
      this.#wake();
      const waiting = [...this.waiting];
      this.waiting.clear();
      for (const call of waiting) call.restart();
    },
    called: (connection, id, header, bytes, start, end) => {
      this.#hosting.called(connection, id, header, bytes, start, end);
    },
    signalled: (connection, id, header, bytes, start, end) => {
      signalled(this.#hosting, connection, id, header, bytes, start, end);
    },
    closing: (connection, id, header) => {
      this.#hosting.closing(connection, id, header);
    },
    drained: (connection, timeoutMs) => {
      this.#log('the operator has drained this client: it hosts nothing any more');
      const words = { reason: 'draining' };
      const error = new UnavailableError('the operator has drained this client', words);
      for (const each of this.#registrations) each.drained(error);
      for (const reader of [...this.readers]) reader.end(error);
      this.#hosting.idle(timeoutMs || DRAIN_MS).then(() => {
        if (connection !== this.connection) return;
        this.#isDrained = true;
        this.#wake();
      });
    },
    lost: (connection, error) => {
      this.#wake();
      if (connection !== this.connection) return;
      this.#hosting.lost();
      if (this.endError !== undefined || !connection.isWelcome) return;
      this.#log('the connection was lost; connecting again', error);
      this.#reconnect();
    },
  };

  /** @type {import('./registration.js').Registrar} */
  #registrar = {
    registering: (registration) => this.#hosting.add(registration),
    withdrawn: (registration) => this.#hosting.remove(registration),
    forget: (registration) => {
      this.#registrations.delete(registration);
    },
    log: (message, error) => this.#log(message, error),
  };

  async #reconnect() {
    const { signal } = this.#stopReconnecting;
    for (let delayMs = BACKOFF_MS; ; delayMs = Math.min(delayMs * 2, BACKOFF_MS_MAX)) {
      try {
        await delay(delayMs * (0.5 + Math.random() / 2), undefined, { signal });
        await this.#connect(signal);
        return;
      } catch (error) {
        if (this.endError !== undefined) return;
        if (error instanceof AgentError && FINAL.has(error.code)) {
          this.#log('the sidecar refused the connection', error);
          this.#finish(error);
          return;
        }
      }
    }
  }

  /**
   * Resolves when a connection became welcome or was lost, or the client ended.
   *
   * @param {AbortSignal} [signal]
   * @returns {Promise<void>}
   */
  #change(signal) {
    return new Promise((resolve, reject) => {
      if (signal === undefined) {
        this.#waiters.push(resolve);
        return;
      }
      const abort = () => reject(givenUp(signal));
      if (signal.aborted) {
        abort();
        return;
      }
      const release = onAbort(signal, abort);
      this.#waiters.push(() => {
        release();
        resolve();
      });
    });
  }

  #wake() {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}

/** @param {AbortSignal} signal */
function givenUp(signal) {
  return new CancelledCallError('given up', { reason: 'cancelled', cause: signal.reason });
}
