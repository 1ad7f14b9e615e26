/** What an agent knows of the call it handles, and how it calls others for it. */

import { AsyncLocalStorage } from 'node:async_hooks';

import { nameOf } from './address.js';
import { messageOf } from './readers.js';

/** @typedef {import('./content.js').Message} Message */
/** @typedef {import('./delegating.js').Delegated} Delegated */
/** @typedef {import('./errors.js').Detail} Detail */
/** @typedef {import('./header.js').Header} Header */
/** @typedef {import('./hosted-call.js').HostedCall} HostedCall */
/** @typedef {import('./options.js').CallOptions} CallOptions */
/** @typedef {import('./options.js').PublishOptions} PublishOptions */
/** @typedef {import('./options.js').StreamOptions} StreamOptions */
/** @typedef {import('./options.js').SendOptions} SendOptions */
/** @typedef {import('./options.js').SignalOptions} SignalOptions */
/** @typedef {import('./signalling.js').Target} Target */

/** @type {AsyncLocalStorage<Context | undefined>} */
const current = new AsyncLocalStorage();
/** @type {Readonly<Record<string, Detail>>} */
const NO_EXT = Object.freeze({});

/**
 * The call that is being handled where this is asked, or undefined.
 *
 * @returns {Context | undefined}
 */
export function currentContext() {
  return current.getStore();
}

/**
 * Runs a function in which, and in whatever it starts, this is the current context.
 *
 * @template R
 * @param {Context | undefined} context
 * @param {() => R} work
 * @returns {R}
 */
export function inContext(context, work) {
  // Where there never was a context none needs to be taken away, which would cost all promises.
  if (context === undefined && current.getStore() === undefined) return work();
  return current.run(context, work);
}

/**
 * The call being handled: the second argument of an agent's function.
 *
 * Calls made through it, or through the client while it is handled, are children of this call:
 * they have at most its time, end when it is cancelled, and carry its `trace` and `ext`.
 *
 * @implements {AsyncIterable<any>}
 */
export class Context {
  #call;
  #header;

  /**
   * @param {HostedCall} call
   * @param {Header} header
   */
  constructor(call, header) {
    this.#call = call;
    this.#header = header;
  }

  /** What was called: `name` or `name:session`. */
  get address() {
    return this.#header.to;
  }

  /** The agent's name. */
  get name() {
    return nameOf(this.#header.to);
  }

  /** The session, or "" if the call has none. */
  get session() {
    return this.#header.to.slice(this.name.length + 1);
  }

  /**
   * The address of another agent's session of the same name, for any verb; just the name where this
   * call has no session.
   *
   * @param {string} name
   */
  inSession(name) {
    return this.session === '' ? name : `${name}:${this.session}`;
  }

  /** The address of the agent that calls, or "". */
  get sender() {
    return this.#header.from;
  }

  /** The type of the first message, or "". */
  get type() {
    return this.#header.type;
  }

  /** What the caller said to whoever handles this. It proves nothing. */
  get ext() {
    return this.#header.ext ?? NO_EXT;
  }

  /** The caller's traceparent, or "". */
  get trace() {
    return this.#header.trace;
  }

  /** The topic this message was published to, or "" if it was not. */
  get topic() {
    return this.#header.topic;
  }

  /** Whom that message concerns, or "". */
  get source() {
    return this.#header.source;
  }

  /** This call creates its session. */
  get isNew() {
    return this.#header.isNew;
  }

  /** Nobody waits for an answer; what is returned is dropped. */
  get isSend() {
    return this.#header.oneway;
  }

  /** A message to take note of, not to act on. */
  get isObservation() {
    return this.#header.observe;
  }

  /** When the caller stops waiting, in milliseconds as `Date.now()` counts them, or undefined. */
  get deadline() {
    const left = this.#call.timeLeftMs;
    return left === undefined ? undefined : Date.now() + left;
  }

  /** Milliseconds until then, or undefined. */
  get timeLeftMs() {
    const left = this.#call.timeLeftMs;
    return left === undefined ? undefined : Math.max(0, left);
  }

  /**
   * Aborted when the caller left or its time is over, with an AgentError that says which; or, with
   * an `Interrupted`, when somebody has something better for the agent to do, which may then finish
   * its reply.
   */
  get signal() {
    return this.#call.signal;
  }

  /** As `signal`, but not aborted by an interrupt: for what is done behind one. */
  get cancelSignal() {
    return this.#call.cancelSignal;
  }

  /** The newest interruption of the call, or undefined. */
  get interrupted() {
    return this.#call.interrupted;
  }

  /**
   * The input behind the message that the function got as its argument. Credit is granted as this
   * is read.
   *
   * @returns {AsyncIterableIterator<Message>}
   */
  messages() {
    return this.#call.inputReader(messageOf);
  }

  /** @returns {AsyncIterableIterator<any>} As `messages`, values only. */
  [Symbol.asyncIterator]() {
    return this.#call.inputReader(this.#call.inputValue);
  }

  /**
   * As `Client.call`, as a child of this call.
   *
   * @param {string} to
   * @param {unknown} [body]
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  call(to, body, options) {
    return this.#call.client.call(to, body, { ...options, parent: this });
  }

  /**
   * As `Client.stream`, as a child of this call.
   *
   * @param {string} to
   * @param {unknown} [body]
   * @param {StreamOptions} [options]
   */
  stream(to, body, options) {
    return this.#call.client.stream(to, body, { ...options, parent: this });
  }

  /**
   * Calls an agent, at once, for what it answers to be passed on unread: yielded, it stands in this
   * place of the reply; returned, it is the rest of it.
   *
   * @param {string} to
   * @param {unknown} [body]
   * @param {StreamOptions} [options]
   * @returns {Delegated}
   */
  delegate(to, body, options) {
    return this.#call.client.delegate(to, body, { ...options, parent: this });
  }

  /**
   * As `Client.open`, as a child of this call.
   *
   * @param {string} to
   * @param {unknown} [body]
   * @param {StreamOptions} [options]
   */
  open(to, body, options) {
    return this.#call.client.open(to, body, { ...options, parent: this });
  }

  /**
   * As `Client.send`, as a child of this call.
   *
   * @param {string} to
   * @param {unknown} [body]
   * @param {SendOptions} [options]
   * @returns {Promise<void>}
   */
  send(to, body, options) {
    return this.#call.client.send(to, body, { ...options, parent: this });
  }

  /**
   * As `Client.publish`, as a child of this call.
   *
   * @param {string} topic
   * @param {unknown} [body]
   * @param {PublishOptions} [options]
   * @returns {Promise<void>}
   */
  publish(topic, body, options) {
    return this.#call.client.publish(topic, body, { ...options, parent: this });
  }

  /**
   * As `Client.interrupt`, in the name of this agent.
   *
   * @param {Target} to
   * @param {unknown} [payload]
   * @param {SignalOptions} [options]
   * @returns {Promise<void>}
   */
  interrupt(to, payload, options) {
    return this.#call.client.interrupt(to, payload, { ...options, parent: this });
  }

  /**
   * The library's side of a context.
   *
   * @internal
   * @param {Context} context
   * @returns {HostedCall}
   */
  static callOf(context) {
    return context.#call;
  }
}

/** The library's side of the current context. */
export function currentCall() {
  const context = currentContext();
  return context && Context.callOf(context);
}
