/**
 * The host's side: calls that arrive, the sessions they belong to, and the agents that run them.
 *
 * Order within a session is the sidecar's doing; here a call starts when it arrives.
 */

import { nameOf } from './address.js';
import { inContext } from './context.js';
import { InternalError, NotFoundError, wireError } from './errors.js';
import { HostedCall } from './hosted-call.js';
import { TIMER_MS_MAX } from './repeating.js';

/** @typedef {import('./client.js').Client} Client */
/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./context.js').Context} Context */
/** @typedef {import('./header.js').Header} Header */
/** @typedef {import('./registration.js').Registration} Registration */

/** One conversation with an agent here: its instance. */
export class Session {
  /**
   * @param {string} address
   * @param {Registration} registration
   */
  constructor(address, registration) {
    this.address = address;
    this.registration = registration;
    /** @type {any} The instance, or a promise of it. */
    this.instance = undefined;
  }

  /**
   * Runs the instance's `closed` hook.
   *
   * @param {string} reason
   */
  async close(reason) {
    const instance = await this.instance;
    this.instance = undefined;
    if (typeof instance?.closed === 'function') await instance.closed(reason);
  }
}

/** The agents of one client: who hosts what here, and the sessions that live here. */
export class Hosting {
  #client;
  /** @type {Map<string, Registration>} */
  #registrations = new Map();
  /** @type {Map<string, Session>} */
  #sessions = new Map();
  /** @type {Set<HostedCall>} */
  #calls = new Set();
  #closing = 0;
  /** @type {Array<() => void>} */
  #waiters = [];

  /**
   * @param {Client} client
   * @param {(message: string, error?: unknown) => void} log
   */
  constructor(client, log) {
    this.#client = client;
    this.log = log;
  }

  /**
   * From now on calls to this name come to this registration.
   *
   * @param {Registration} registration
   */
  add(registration) {
    this.#registrations.set(registration.name, registration);
  }

  /**
   * Calls that run go on, and so do its sessions till the sidecar closes them.
   *
   * @param {Registration} registration
   */
  remove(registration) {
    if (this.#registrations.get(registration.name) === registration) {
      this.#registrations.delete(registration.name);
    }
  }

  /**
   * The agent of this name here, if there is one.
   *
   * @param {string} name
   */
  registration(name) {
    return this.#registrations.get(name);
  }

  /**
   * The sessions that an agent has here.
   *
   * @param {Registration} registration
   */
  sessionsOf(registration) {
    return [...this.#sessions.values()].filter((each) => each.registration === registration);
  }

  /**
   * A call arrived.
   *
   * @param {Connection} connection
   * @param {number} id
   * @param {Header} header
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   */
  called(connection, id, header, bytes, start, end) {
    const name = nameOf(header.to);
    const registration = this.#registrations.get(name);
    if (registration === undefined) {
      const error = new NotFoundError(`${name} is not registered here`, {
        reason: 'unknown_agent',
      });
      connection.writeError(id, error, { retry: true });
      return;
    }
    const call = new HostedCall(this, this.#client, connection, registration, id, header);
    connection.open.set(id, call);
    this.#calls.add(call);
    call.start(bytes, start, end);
  }

  /**
   * The session a call belongs to, made if it is not there; one of its own without.
   *
   * @param {Registration} registration
   * @param {Context} context
   * @returns {Session}
   */
  session(registration, context) {
    const { address } = context;
    let known = this.#sessions.get(address);
    if (known !== undefined && (known.registration !== registration || context.isNew)) {
      // A new one begins: what is still here belongs to one that is gone.
      this.#sessions.delete(address);
      this.#close(known, 'replaced');
      known = undefined;
    }
    return known ?? this.#open(registration, context);
  }

  /**
   * @param {Registration} registration
   * @param {Context} context
   */
  #open(registration, context) {
    const { address } = context;
    const session = new Session(address, registration);
    try {
      session.instance = registration.make(context);
    } catch (error) {
      throw activationError(error);
    }
    const isKept = context.session !== '';
    if (isKept) this.#sessions.set(address, session);
    if (typeof session.instance?.then === 'function') {
      session.instance = session.instance.then(
        (/** @type {any} */ made) => {
          session.instance = made;
          return made;
        },
        (/** @type {unknown} */ error) => {
          if (this.#sessions.get(address) === session) this.#sessions.delete(address);
          session.instance = undefined;
          throw activationError(error);
        },
      );
    }
    return session;
  }

  /**
   * A call ended, and without a session of its own so did its instance.
   *
   * @param {HostedCall} call
   * @param {Session | undefined} session
   */
  ended(call, session) {
    if (session !== undefined && !session.address.includes(':')) this.#close(session, 'ended');
    this.#calls.delete(call);
    this.#wake();
  }

  /**
   * The sidecar closes a session: free it, then say so.
   *
   * @param {Connection} connection
   * @param {number} id
   * @param {Header} header
   */
  async closing(connection, id, header) {
    const session = this.#sessions.get(header.to);
    if (session !== undefined) {
      this.#sessions.delete(header.to);
      await this.#close(session, header.reason);
    }
    if (connection.error === undefined) connection.write(`{"op":"ok","id":${id}}`);
  }

  /** The connection is gone, and with it every session. */
  lost() {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of sessions) this.#close(session, 'connection_lost');
  }

  /**
   * Resolves when no call runs and no session closes, or after so long.
   *
   * @param {number} timeoutMs
   * @param {HostedCall} [except] The one that asks.
   */
  async idle(timeoutMs, except) {
    const until = performance.now() + timeoutMs;
    const itself = () => (except !== undefined && this.#calls.has(except) ? 1 : 0);
    while (this.#calls.size - itself() + this.#closing > 0) {
      const leftMs = until - performance.now();
      if (leftMs <= 0) return;
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, Math.min(leftMs, TIMER_MS_MAX));
        this.#waiters.push(() => {
          clearTimeout(timer);
          resolve(undefined);
        });
      });
    }
  }

  /**
   * @param {Session} session
   * @param {string} reason
   */
  async #close(session, reason) {
    this.#closing += 1;
    try {
      await inContext(undefined, () => session.close(reason));
    } catch (error) {
      this.log(`closed("${reason}") of ${session.address} failed`, error);
    }
    this.#closing -= 1;
    this.#wake();
  }

  #wake() {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}

/**
 * An instance could not be made: the call fails, the next message tries again.
 *
 * @param {unknown} thrown
 */
function activationError(thrown) {
  const { message, details } = wireError(thrown);
  return new InternalError(message, { reason: 'activation_failed', details });
}
