/** Topics: what a reader gets of one, and what feeds one to an agent. */

import { Message, keep } from './content.js';
import './disposal.js';
import { checkHeader } from './error-header.js';
import { CancelledCallError } from './errors.js';
import { subscribeRest, windowOf } from './header.js';
import { onAbort } from './abort-signals.js';
import { FRAME_COST } from './wire.js';

/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./content.js').Kept} Kept */
/** @typedef {import('./errors.js').AgentError} AgentError */
/** @typedef {import('./header.js').Header} Header */
/** @typedef {import('./registration.js').Registration} Registration */
/** @typedef {import('./verbs.js').Verbs} Verbs */

/**
 * @typedef {object} SubscribeOptions
 * @property {number} [window] How far the topic may run ahead of the reader, in bytes (1 MiB). What
 *   is beyond it and as much again is lost, the oldest first; the next message tells how many in
 *   `dropped`. 1: one message at a time, always the newest.
 * @property {AbortSignal} [signal] Ends the subscription.
 */

/** A message of a topic: what was published, and what its reader is told besides. */
export class TopicMessage extends Message {
  /**
   * @param {Kept} content
   * @param {Header} header
   */
  constructor(content, { type, contentType, ext, topic, source, from, dropped }) {
    super(content, { type, contentType, ...(ext && { ext }) });
    this.topic = topic;
    /** Whom it concerns. */
    this.source = source;
    /** The address of the agent that published it, or "". */
    this.sender = from;
    /** How many messages went before this one because the reader was slow. */
    this.dropped = dropped;
  }
}

/** A subscription that was forgotten without being ended is ended by the collector. */
const forgotten = new FinalizationRegistry((/** @type {TopicReader} */ reader) => reader.close());

/**
 * The messages of a topic, or of all that a pattern matches, as they come. Leaving the loop ends
 * it, and so does `close`. It goes on over reconnects, without what was published in between.
 *
 * @implements {AsyncIterableIterator<TopicMessage>}
 */
export class Subscription {
  #reader;

  /**
   * Made by `client.subscribe`.
   *
   * @param {TopicReader} reader
   */
  constructor(reader) {
    this.#reader = reader;
    forgotten.register(this, reader);
  }

  /** The topic or pattern. */
  get topic() {
    return this.#reader.topic;
  }

  /** @returns {this} */
  [Symbol.asyncIterator]() {
    return this;
  }

  /**
   * The next message. To ask for it says that the one before is done with.
   *
   * @returns {Promise<IteratorResult<TopicMessage, undefined>>}
   */
  next() {
    return this.#reader.next();
  }

  /**
   * Ends it.
   *
   * @returns {Promise<IteratorResult<TopicMessage, undefined>>}
   */
  async return() {
    this.#reader.close();
    return { value: undefined, done: true };
  }

  /** @returns {Promise<void>} Ends it; whoever waits for a message comes to the end. */
  async close() {
    this.#reader.close();
  }

  /** @returns {Promise<void>} As `close`. */
  async [Symbol.asyncDispose]() {
    this.#reader.close();
  }
}

/** The endpoint of a subscription: messages wait in it until they are asked for. */
export class TopicReader {
  #client;
  #window;
  #rest;
  #release;
  /** @type {Connection | undefined} */
  #connection;
  #id = 0;
  #isSubscribed = false;
  #isEnded = false;
  /** @type {AgentError | undefined} */
  #error;
  /** @type {Array<{ header: Header, content: Kept, cost: number }>} */
  #messages = [];
  /** How many of them have been given out; they are cut off now and then. */
  #head = 0;
  /** What the message that was given out last took of the window. */
  #taken = 0;
  #owed = 0;
  /** @type {Array<() => void>} */
  #waiters = [];

  /**
   * @param {Verbs} client
   * @param {string} topic
   * @param {SubscribeOptions} options
   */
  constructor(client, topic, { window, signal }) {
    this.#client = client;
    this.topic = topic;
    this.#window = windowOf(window);
    this.#rest = subscribeRest(topic, this.#window);
    checkHeader(this.#rest);
    this.#release = onAbort(signal, () => this.close());
  }

  /**
   * Writes `subscribe`.
   *
   * @param {Connection} connection
   */
  start(connection) {
    this.#connection = connection;
    this.#owed = 0;
    this.#taken = 0;
    // Nobody grants for what came by a connection that is gone.
    for (const each of this.#messages) each.cost = 0;
    this.#id = connection.openId(this, 'subscribe', this.#rest);
  }

  /** Resolves with the sidecar's answer; throws the error if it refused. */
  async ready() {
    while (!this.#isSubscribed && !this.#isEnded) await this.#change();
    if (this.#error !== undefined) throw this.#error;
    if (this.#isSubscribed) return;
    throw new CancelledCallError('the subscription was ended', { reason: 'cancelled' });
  }

  /** @returns {Promise<IteratorResult<TopicMessage, undefined>>} */
  async next() {
    this.#settle();
    while (this.#head === this.#messages.length) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#isEnded) return { value: undefined, done: true };
      await this.#change();
    }
    const { header, content, cost } = this.#messages[this.#head];
    this.#head += 1;
    if (this.#head * 2 >= this.#messages.length) {
      this.#messages.splice(0, this.#head);
      this.#head = 0;
    }
    this.#taken += cost;
    return { value: new TopicMessage(content, header), done: false };
  }

  /** Nothing more is wanted. */
  close() {
    if (this.#isEnded) return;
    const connection = this.#connection;
    const id = this.#id;
    this.end();
    this.#messages = [];
    this.#head = 0;
    if (id === 0 || connection === undefined || connection.error !== undefined) return;
    connection.open.delete(id);
    connection.write(`{"op":"cancel","id":${id}}`);
  }

  /**
   * Nothing more comes; what is there can still be read.
   *
   * @param {AgentError} [error]
   */
  end(error) {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#id = 0;
    this.#connection = undefined;
    this.#client.readers.delete(this);
    this.#release();
    this.#wake();
  }

  /** Grants for what was taken, half a window at a time. */
  #settle() {
    this.#owed += this.#taken;
    this.#taken = 0;
    if (this.#id === 0 || this.#owed < Math.max(Math.floor(this.#window / 2), 1)) return;
    this.#connection?.write(`{"op":"credit","id":${this.#id},"bytes":${this.#owed}}`);
    this.#owed = 0;
  }

  /** @returns {Promise<void>} */
  #change() {
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
    });
  }

  #wake() {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }

  // Frames

  /**
   * @param {Header} header
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   */
  onData(header, bytes, start, end) {
    const content = keep(bytes, start, end);
    this.#messages.push({ header, content, cost: end - start + FRAME_COST });
    this.#wake();
  }

  onCredit() {}

  onOk() {
    this.#isSubscribed = true;
    this.#wake();
  }

  onCancel() {}

  /** @param {AgentError} error */
  onError(error) {
    const connection = this.#connection;
    connection?.open.delete(this.#id);
    this.#id = 0;
    error.address = this.topic;
    // A connection that drains closes soon, and the next one takes it.
    if (error.reason !== 'draining' || !connection?.isDraining) this.end(error);
  }

  onLost() {
    this.#id = 0;
    this.#connection = undefined;
  }
}

/** The endpoint of a subscription that feeds an agent; it lives with the registration. */
export class Feed {
  #registration;
  #connection;
  #id;

  /**
   * @param {Registration} registration
   * @param {Connection} connection
   * @param {string} topic
   */
  constructor(registration, connection, topic) {
    this.#registration = registration;
    this.#connection = connection;
    const rest = subscribeRest(topic, undefined, registration.name);
    this.#id = connection.openId(this, 'subscribe', rest);
  }

  onData() {}

  onCredit() {}

  onCancel() {}

  onOk() {
    this.#registration.onOk();
  }

  /** @param {AgentError} error */
  onError(error) {
    this.#connection.open.delete(this.#id);
    this.#registration.notFed(error, this.#connection);
  }

  /** The registration hears of it too. */
  onLost() {}
}
