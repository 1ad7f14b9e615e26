/** The verbs of a caller: call, stream, open, send, publish, subscribe, discover, watch. */

import { OwnCall } from './calls.js';
import { Collecting } from './collecting.js';
import { Delegated } from './delegating.js';
import { Watch, cardOf } from './discovery.js';
import { publishRest, queryBody, timeoutOf, toRest, wordsRest } from './header.js';
import { Receiving } from './receiving.js';
import { Exchange, Reply } from './reply.js';
import { NOTHING, checkFits, contextFor, messageFor, parentFor, requestOf } from './requests.js';
import { post } from './sends.js';
import { Subscription, TopicReader } from './topics.js';

/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./discovery.js').AgentCard} AgentCard */
/** @typedef {import('./discovery.js').WatchOptions} WatchOptions */
/** @typedef {import('./errors.js').AgentError} AgentError */
/** @typedef {import('./header.js').Query} Query */
/** @typedef {import('./options.js').CallOptions} CallOptions */
/** @typedef {import('./options.js').PublishOptions} PublishOptions */
/** @typedef {import('./options.js').SendOptions} SendOptions */
/** @typedef {import('./options.js').StreamOptions} StreamOptions */
/** @typedef {import('./topics.js').SubscribeOptions} SubscribeOptions */

const TIMEOUT_MS = 30_000;
const DEADLINE_LOOK_MS = 1000;

/** The verbs of a client, on whatever connection it has at the moment. */
export class Verbs {
  /** @type {NodeJS.Timeout | undefined} */
  #deadlines;

  /** @param {number} repeats */
  constructor(repeats) {
    /** @internal @readonly */
    this.repeats = repeats;
    /** @internal @type {Connection | undefined} */
    this.connection = undefined;
    /** @internal @type {AgentError | undefined} Why no connection will come any more. */
    this.endError = undefined;
    /** @internal Till then, in `performance.now()`, others may not be back where this is. */
    this.rejoiningUntil = 0;
    /** @internal @type {Set<OwnCall>} Calls that wait for a connection. */
    this.waiting = new Set();
    /** @internal @type {Set<TopicReader>} To be subscribed to on every connection. */
    this.readers = new Set();
  }

  /**
   * Resolves when there is a connection; throws if there will be none.
   *
   * @internal
   * @param {AbortSignal} [_signal]
   * @param {(connection: Connection) => boolean} [_isFit] Open unless given.
   * @returns {Promise<Connection>}
   */
  async connected(_signal, _isFit) {
    throw new Error('a client knows');
  }

  /**
   * Calls an agent and gives the one value it answers: several texts joined, other messages listed,
   * none is null. Throws the AgentError of the code that the call failed with.
   *
   * @param {string} to `name` or `name:session`
   * @param {unknown} [body] A string, bytes, a `Message`, or what becomes JSON; undefined: nothing.
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  call(to, body, options = NOTHING) {
    return new Promise((resolve, reject) => {
      const isTimed = options.timeoutMs !== undefined;
      const timed = isTimed ? options : { ...options, timeoutMs: TIMEOUT_MS };
      const call = new OwnCall(this, requestOf(this, to, body, timed));
      const { window } = call.request;
      call.sink = new Collecting(window, call, options.collect, resolve, reject);
      call.begin();
      call.launch(options.signal);
    });
  }

  /**
   * Calls an agent, at once, and gives its reply to iterate over. Leaving the loop cancels it.
   *
   * @param {string} to
   * @param {unknown} [body]
   * @param {StreamOptions} [options]
   * @returns {Reply}
   */
  stream(to, body, options = NOTHING) {
    const call = new OwnCall(this, requestOf(this, to, body, options));
    const receiving = new Receiving(call.request.window, call);
    call.sink = receiving;
    const reply = new Reply(call, receiving);
    call.launch(options.signal);
    return reply;
  }

  /**
   * @internal
   * @param {string} to
   * @param {unknown} body
   * @param {StreamOptions} options
   * @returns {Delegated}
   */
  delegate(to, body, options) {
    const request = requestOf(this, to, body, options, { isDelegated: true });
    const call = new OwnCall(this, request);
    const receiving = new Receiving(request.window, call);
    call.sink = receiving;
    const delegated = new Delegated(call, receiving);
    call.launch(options.signal);
    return delegated;
  }

  /**
   * Opens a call in both directions: `send` messages, `end` the input, iterate over the reply.
   *
   * @param {string} to
   * @param {unknown} [body] The first message; undefined: none yet.
   * @param {StreamOptions} [options]
   * @returns {Exchange}
   */
  open(to, body, options = NOTHING) {
    const call = new OwnCall(this, requestOf(this, to, body, options, { isOpen: true }));
    const receiving = new Receiving(call.request.window, call);
    call.sink = receiving;
    const exchange = new Exchange(call, receiving);
    call.launch(options.signal);
    return exchange;
  }

  /**
   * Sends one message that nobody answers. Resolves once it is in the agent's mailbox; without
   * `ack`, once the socket takes more.
   *
   * @param {string} to
   * @param {unknown} [body]
   * @param {SendOptions} [options]
   * @returns {Promise<void>}
   */
  async send(to, body, options = NOTHING) {
    const { ack = true, observe = false, signal } = options;
    const message = messageFor(body, options);
    checkFits(this, message);
    const context = contextFor(options.parent);
    const parent = parentFor(this, context, options.parent);
    let rest = toRest(to, message.type, message.contentType);
    rest += wordsRest(options, message.ext, context);
    if (observe) rest += ',"observe":true';
    const timeoutMs = timeoutOf(options.timeoutMs);
    if (timeoutMs > 0) rest += `,"timeout_ms":${timeoutMs}`;
    const answerMs = timeoutMs || TIMEOUT_MS;
    await post(this, { op: 'send', address: to, rest, message, parent, ack, answerMs, signal });
  }

  /**
   * Sends one message to all who subscribe to the topic, be they many or none. Resolves once the
   * sidecar has handed it out.
   *
   * @param {string} topic
   * @param {unknown} [body]
   * @param {PublishOptions} [options]
   * @returns {Promise<void>}
   */
  async publish(topic, body, options = NOTHING) {
    const { source = 'default', ack = true, signal } = options;
    const message = messageFor(body, options);
    checkFits(this, message);
    const context = contextFor(options.parent);
    const parent = parentFor(this, context, options.parent);
    let rest = publishRest(topic, source, message.type, message.contentType);
    rest += wordsRest(options, message.ext, context);
    const timeoutMs = timeoutOf(options.timeoutMs);
    if (timeoutMs > 0) rest += `,"timeout_ms":${timeoutMs}`;
    const answerMs = TIMEOUT_MS;
    const op = 'publish';
    await post(this, { op, address: topic, rest, message, parent, ack, answerMs, signal });
  }

  /**
   * The messages of a topic from now on, or of all that a pattern matches (`*` is one segment, a
   * last `>` the rest). Resolves once they come.
   *
   * @param {string} topic
   * @param {SubscribeOptions} [options]
   * @returns {Promise<Subscription>}
   */
  async subscribe(topic, options = {}) {
    options.signal?.throwIfAborted();
    if (this.endError !== undefined) throw this.endError;
    const reader = new TopicReader(this, topic, options);
    const { connection } = this;
    if (connection !== undefined && connection.error === undefined) reader.start(connection);
    this.readers.add(reader);
    await reader.ready();
    return new Subscription(reader);
  }

  /**
   * The agents of a namespace, by name: those one segment below it unless the options say more.
   *
   * @param {string} [namespace] "" is above all names.
   * @param {Query & { timeoutMs?: number, signal?: AbortSignal }} [options]
   * @returns {Promise<AgentCard[]>}
   */
  async discover(namespace = '', options = {}) {
    const { timeoutMs, signal } = options;
    const reply = await this.call('discovery', queryBody(namespace, options), {
      type: 'DiscoveryQuery',
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(signal !== undefined && { signal }),
    });
    return reply.agents.map(cardOf);
  }

  /**
   * As `discover`, and then every change, over reconnects: an async iterable of `Change`.
   *
   * @param {string} [namespace]
   * @param {WatchOptions} [options]
   * @returns {Watch}
   */
  watch(namespace = '', options = {}) {
    return new Watch(this, namespace, options);
  }

  /**
   * Ends calls here whose deadline the sidecar lets pass, looking once a second.
   *
   * @internal
   */
  watchDeadlines() {
    if (this.#deadlines === undefined) {
      this.#deadlines = setTimeout(() => this.#lookAtDeadlines(), DEADLINE_LOOK_MS);
      this.#deadlines.unref(); // The connection keeps a program alive, not this.
    }
  }

  /** @internal */
  forgetDeadlines() {
    clearTimeout(this.#deadlines);
    this.#deadlines = undefined;
  }

  #lookAtDeadlines() {
    this.#deadlines = undefined;
    const { connection } = this;
    if (connection === undefined || connection.error !== undefined) return;
    const now = performance.now();
    let isNeeded = false;
    for (const endpoint of connection.open.values()) {
      if (endpoint instanceof OwnCall && endpoint.request.deadline !== 0) {
        endpoint.expire(now);
        isNeeded = true;
      }
    }
    if (isNeeded) this.watchDeadlines();
  }
}
