/** The commands of callers. */

import { createHash } from 'node:crypto';

import { bodyOf, messageJson, messageOf, valueJson } from './values.mjs';

const LISTED_MAX = 100;

/** A call whose reply is read step by step. */
class Reading {
  #reply;
  #reader;

  constructor(reply, exchange, abort) {
    this.#reply = reply;
    this.exchange = exchange;
    this.abort = abort;
  }

  get reply() {
    return this.#reply;
  }

  #started(start) {
    this.#reader ??= start(this.#reply);
    return this.#reader;
  }

  get #messages() {
    return this.#started((reply) => reply.messages({ errors: true }));
  }

  async next() {
    const { value, done } = await this.#messages.next();
    return done ? { end: true } : { message: messageJson(value) };
  }

  async nextPart() {
    const { value, done } = await this.#started((reply) => reply.parts()).next();
    return done ? { end: true } : { piece: valueJson(value) };
  }

  async rest() {
    let count = 0;
    let bytes = 0;
    const digest = createHash('sha256');
    const messages = [];
    const reader = this.#messages;
    this.#reply = undefined; // Whoever keeps it keeps all its messages.
    for await (const message of reader) {
      count += 1;
      bytes += message.content.length;
      digest.update(message.content);
      if (count <= LISTED_MAX) messages.push(messageJson(message));
    }
    const listed = count <= LISTED_MAX ? { messages } : {};
    return { ...listed, count, bytes, sha256: digest.digest('hex') };
  }

  async leave() {
    if (this.#reader !== undefined) await this.#reader.return();
    else this.#reply.cancel();
  }
}

/** A topic that is read. */
class Subscribed {
  #subscription;
  abort = new AbortController();

  constructor(subscription) {
    this.#subscription = subscription;
  }

  async next() {
    const { value, done } = await this.#subscription.next();
    if (done) return { end: true };
    const { topic, source, sender, dropped } = value;
    const message = { ...messageJson(value), topic, source };
    if (sender !== '') message.sender = sender;
    if (dropped > 0) message.dropped = dropped;
    return { message };
  }

  async leave() {
    await this.#subscription.close();
  }
}

/** A watch. */
class Following {
  #watch;

  constructor(watch, abort) {
    this.#watch = watch;
    this.abort = abort;
  }

  async next() {
    const { value, done } = await this.#watch.next();
    if (done) return { end: true };
    const { revision, registered, deregistered } = value;
    return { change: { revision, registered: registered.map(({ name }) => name), deregistered } };
  }

  async leave() {
    await this.#watch.return();
  }
}

/** Calls that are open here, by the names that the runner gave them. */
export class Callers {
  #clients;
  #context;
  #streams = new Map();

  constructor(clients, context) {
    this.#clients = clients;
    this.#context = context;
    this.commands = {
      call: (command, signal) => this.#call(command, signal),
      stream: (command) => this.#start('stream', command),
      open: (command) => this.#start('open', command),
      delegate: (command) => this.#delegate(command),
      next: (command, signal) => this.#reading(command, signal).next(),
      next_part: (command, signal) => this.#reading(command, signal).nextPart(),
      rest: (command, signal) => this.#reading(command, signal).rest(),
      leave: (command) => this.#streams.get(command.of).leave(),
      put: (command, signal) => this.#put(command, signal),
      finish: (command) => this.#streams.get(command.of).exchange.end(),
      send: (command, signal) => this.#send(command, signal),
      attach: (command) => this.#attach(command),
      runs: (command, signal) => this.#runs(command, signal),
      signal: (command, signal) => this.#signal(command, signal),
      interrupt: (command, signal) => this.#signal(command, signal),
      cancel: (command, signal) => this.#steer(command, signal),
      pause: (command, signal) => this.#steer(command, signal),
      resume: (command, signal) => this.#steer(command, signal),
      publish: (command, signal) => this.#publish(command, signal),
      subscribe: (command, signal) => this.#subscribe(command, signal),
      discover: (command, signal) => this.#discover(command, signal),
      watch: (command) => this.#watch(command),
    };
  }

  #options(command, signal) {
    const { ext, trace, sender, window, detach, lazy, ack, observe, under } = command;
    const { timeout_ms: timeoutMs, run, collect } = command;
    const words = { ext, trace, sender, run, collect };
    const given = { ...words, window, detach, lazy, ack, observe, timeoutMs };
    const said = Object.entries(given).filter(([, value]) => value !== undefined);
    const parent = under === undefined ? null : this.#context(under);
    return { ...Object.fromEntries(said), parent, signal };
  }

  /** To cancel a step is to abort the signal that its call was made with. */
  #reading({ of }, signal) {
    const stream = this.#streams.get(of);
    signal.addEventListener('abort', () => stream.abort.abort(signal.reason), { once: true });
    return stream;
  }

  async #call(command, signal) {
    const client = this.#clients.get(command.client);
    const options = this.#options(command, signal);
    const value = await client.call(command.to, bodyOf(command.body), options);
    if (command.collect === 'list') return { values: value.map(valueJson) };
    return value === null ? {} : { value: valueJson(value) };
  }

  async #start(verb, command) {
    const client = this.#clients.get(command.client);
    const abort = new AbortController();
    const options = this.#options(command, abort.signal);
    const reply = client[verb](command.to, bodyOf(command.body), options);
    const exchange = verb === 'open' ? reply : undefined;
    this.#streams.set(command.as, new Reading(reply, exchange, abort));
  }

  async #delegate(command) {
    const abort = new AbortController();
    const { parent, ...options } = this.#options({ ...command, under: command.call }, abort.signal);
    const reply = parent.delegate(command.to, bodyOf(command.body), options);
    this.#streams.set(command.as, new Reading(reply, undefined, abort));
  }

  async #attach({ client, as, run, from, tail, window, timeout_ms: timeoutMs }) {
    const abort = new AbortController();
    const words = { from, tail, window, timeoutMs, signal: abort.signal, parent: null };
    const said = Object.entries(words).filter(([, value]) => value !== undefined);
    const reply = this.#clients.get(client).attach(run, Object.fromEntries(said));
    this.#streams.set(as, new Reading(reply, undefined, abort));
  }

  async #runs({ client, state }, signal) {
    const runs = await this.#clients.get(client).runs({ signal, ...(state && { state }) });
    return { runs: runs.map(({ name, ...rest }) => ({ run: name, ...rest })) };
  }

  /** The reply of a call that is open here. */
  reply(name) {
    return this.#streams.get(name).reply;
  }

  async #put(command, signal) {
    await this.#streams.get(command.of).exchange.send(messageOf(command.body), { signal });
  }

  async #send(command, signal) {
    const client = this.#clients.get(command.client);
    await client.send(command.to, bodyOf(command.body), this.#options(command, signal));
  }

  async #signal(command, signal) {
    const { to, run, of, name } = command;
    const options = this.#options(command, signal);
    const what = command.do === 'signal' ? [name] : [];
    if (of === undefined) what.unshift(run === undefined ? to : { run });
    const client = this.#clients.get(command.client);
    const sender = of === undefined ? client : this.reply(of);
    await sender[command.do](...what, bodyOf(command.body), options);
  }

  async #steer({ do: verb, client, to, run }, signal) {
    await this.#clients.get(client)[verb](run === undefined ? to : { run }, { signal });
  }

  async #publish(command, signal) {
    const { topic, source } = command;
    const options = this.#options(command, signal);
    if (source !== undefined) options.source = source;
    await this.#clients.get(command.client).publish(topic, bodyOf(command.body), options);
  }

  async #subscribe({ client, topic, window, as }, signal) {
    const subscription = await this.#clients.get(client).subscribe(topic, { window, signal });
    this.#streams.set(as, new Subscribed(subscription));
  }

  async #discover(command, signal) {
    const { namespace = '', recursive, inclusive, detailed = false, labels } = command;
    const options = { recursive, inclusive, detailed, labels, signal };
    const cards = await this.#clients.get(command.client).discover(namespace, options);
    return { agents: cards.map((card) => cardJson(card, detailed)) };
  }

  async #watch(command) {
    const { namespace = '', recursive, inclusive, detailed, labels } = command;
    const abort = new AbortController();
    const options = { recursive, inclusive, detailed, labels, signal: abort.signal };
    if (command.from_revision !== undefined) options.fromRevision = command.from_revision;
    const watch = this.#clients.get(command.client).watch(namespace, options);
    this.#streams.set(command.as, new Following(watch, abort));
  }
}

function cardJson({ name, description, version, labels, operations, replicas }, isDetailed) {
  if (!isDetailed) return { name, description };
  const listed = operations.map((each) =>
    Object.fromEntries(Object.entries(each).filter(([, value]) => value !== '')),
  );
  return { name, description, version, labels, operations: listed, replicas };
}
