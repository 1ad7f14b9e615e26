/** The other side of a client, step by step: frames are read and written as a test says. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';

import { connect } from '../../src/index.js';
import { bounded } from './bounded.js';

/** The bytes of a frame; a header may be given as it is spelled. */
export function frame(header, content = Buffer.alloc(0)) {
  const isSpelled = typeof header === 'string' || Buffer.isBuffer(header);
  const raw = Buffer.from(isSpelled ? header : JSON.stringify(header));
  const body = Buffer.from(content);
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE(raw.length, 0);
  lengths.writeUInt32BE(body.length, 4);
  return Buffer.concat([lengths, raw, body]);
}

/** A frame that the client sent: the header's fields, and `content`. */
function* framesOf(bytes) {
  let at = 0;
  while (bytes.length - at >= 8) {
    const middle = at + 8 + bytes.readUInt32BE(at);
    const end = middle + bytes.readUInt32BE(at + 4);
    if (end > bytes.length) break;
    const header = JSON.parse(bytes.toString('utf8', at + 8, middle));
    yield { got: { ...header, content: bytes.subarray(middle, end) }, end };
    at = end;
  }
}

/** One connection, as the sidecar sees it. */
export class Peer {
  #socket;
  #rest = Buffer.alloc(0);
  #got = [];
  #wake = () => {};
  #isEnded = false;
  #lastId = 0;

  constructor(socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => {
      this.#rest = Buffer.concat([this.#rest, bytes]);
      let taken = 0;
      for (const { got, end } of framesOf(this.#rest)) {
        this.#got.push(got);
        taken = end;
      }
      this.#rest = this.#rest.subarray(taken);
      this.#wake();
    });
    socket.on('close', () => {
      this.#isEnded = true;
      this.#wake();
    });
    socket.on('error', () => {}); // The close says it.
  }

  /** The next frame, which is to be of this op. */
  async next(op) {
    while (this.#got.length === 0) {
      assert.ok(!this.#isEnded, `the client closed; ${op ?? 'a frame'} was expected`);
      await bounded(this.#change(), `a frame ${op ?? ''}`);
    }
    const got = this.#got.shift();
    if (op !== undefined) assert.equal(got.op, op, JSON.stringify(got));
    return got;
  }

  /** Reads hello and answers it. */
  async greet(welcome = {}) {
    const hello = await this.next('hello');
    this.send({
      op: 'welcome',
      v: 1,
      server: 'fake/1',
      connection: 'c1',
      max_content: 16 * 1024 * 1024,
      heartbeat_ms: 0,
      features: 'signals',
      ...welcome,
    });
    return hello;
  }

  send(header, content) {
    this.#socket.write(frame(header, content));
  }

  sendRaw(bytes) {
    this.#socket.write(bytes);
  }

  /** Writes a call with the next even id, which it returns. */
  call(to, content, fields = {}) {
    this.#lastId += 2;
    this.send({ op: 'call', id: this.#lastId, to, window: 1024 * 1024, ...fields }, content);
    return this.#lastId;
  }

  /** Writes a signal with the next even id, which it returns. */
  signal(name, fields, content) {
    this.#lastId += 2;
    this.send({ op: 'signal', id: this.#lastId, name, ...fields }, content);
    return this.#lastId;
  }

  /** The client's answer to a signal is `ok`. */
  async took(id) {
    assert.equal((await this.next('ok')).id, id);
  }

  /** Answers a call of the client's with a JSON value. */
  answer(id, value, fields = { end: true }) {
    this.send({ op: 'data', id, ...fields }, JSON.stringify(value));
  }

  /** Nothing is on its way: a ping, which passes what waits, is the next to be answered. */
  async nothing() {
    this.send({ op: 'ping' });
    await this.next('pong');
  }

  /** Answers the registrations of these names. */
  async register(...names) {
    for (const name of names) {
      const register = await this.next('register');
      assert.equal(register.name, name);
      this.send({ op: 'ok', id: register.id });
    }
  }

  /** The texts and JSON values that the client answers to a call, to its end. */
  async reply(id) {
    const values = [];
    for (;;) {
      const got = await this.next('data');
      assert.equal(got.id, id);
      if (got.content.length > 0) {
        const text = got.content.toString();
        values.push(got.content_type === 'text/plain' ? text : JSON.parse(text));
      }
      if (got.end) return values;
    }
  }

  /** Resolves once the client has closed. */
  async ended() {
    while (!this.#isEnded) await bounded(this.#change(), 'the end of the connection');
  }

  /** Takes nothing of what the client writes. */
  pause() {
    this.#socket.pause();
  }

  resume() {
    this.#socket.resume();
  }

  close() {
    this.#socket.end();
  }

  abort() {
    this.#socket.destroy();
  }

  #change() {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** Listens on a Unix socket in a folder of its own. */
export class FakeSidecar {
  #folder = mkdtempSync('/tmp/coagent-test-');
  #path = join(this.#folder, 's');
  #peers = [];
  #waiting = [];
  #sockets = new Set();
  #server;

  url = `unix:${this.#path}`;

  async listen() {
    this.#server = net.createServer((socket) => {
      this.#sockets.add(socket);
      const peer = new Peer(socket);
      const waiter = this.#waiting.shift();
      if (waiter !== undefined) waiter(peer);
      else this.#peers.push(peer);
    });
    await new Promise((resolve) => {
      this.#server.listen(this.#path, () => resolve());
    });
    return this;
  }

  /** The next connection. */
  accept() {
    const peer = this.#peers.shift();
    if (peer !== undefined) return Promise.resolve(peer);
    return bounded(
      new Promise((resolve) => {
        this.#waiting.push(resolve);
      }),
      'a connection',
    );
  }

  /** The next connection, greeted. */
  async welcome(fields) {
    const peer = await this.accept();
    await peer.greet(fields);
    return peer;
  }

  /** Stops listening and drops every connection. */
  async stop() {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise((resolve) => server.close(() => resolve()));
  }

  async end() {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Runs a test with a client and the other end of its connection. */
export async function linked(work, { welcome = {}, ...options } = {}) {
  const sidecar = await new FakeSidecar().listen();
  let client;
  try {
    const connecting = connect(sidecar.url, options);
    const peer = await sidecar.welcome(welcome);
    client = await bounded(connecting, 'the client');
    await work(client, peer, sidecar);
  } finally {
    await sidecar.stop(); // So that nothing is waited for that the test left open.
    await client?.close();
    await sidecar.end();
  }
}

/** As `linked`, with agents registered by name. */
export async function hosting(agents, work, options = {}) {
  await linked(async (client, peer, sidecar) => {
    for (const [name, target] of Object.entries(agents)) {
      const [agent, words] = Array.isArray(target) ? target : [target, {}];
      const registering = client.register(name, agent, words);
      await peer.register(name);
      await bounded(registering, 'the registration');
    }
    await work(peer, client, sidecar);
  }, options);
}
