// A bare pair: the least Node that can call and host over the protocol.
//
//     bare.mjs host   --url unix:/path [--relay PAIR]
//     bare.mjs caller --url unix:/path [--relay PAIR] --depth 64 --size 16 --seconds 1
//     bare.mjs caller --url unix:/path --parts 20000 --seconds 1
//
// No reconnecting, no deadlines, no cancelling, no types: what a client library is held against.
// With `--relay` the two speak the same frames through the raw relay, without hello and register.

import { once } from 'node:events';
import { createConnection } from 'node:net';

import { Measurement, readArguments, streamsOf, workers } from './measuring.mjs';

/** @typedef {import('./measuring.mjs').Arguments} Arguments */
/**
 * The fields that a bare pair looks at.
 *
 * @typedef {object} Header
 * @property {string} op
 * @property {number} [id]
 * @property {string} [to]
 * @property {number} [window]
 * @property {number} [bytes]
 * @property {boolean} [end]
 */
/** @typedef {(header: Header, content: Buffer) => void} Received */

const FRAME_COST = 256;
const WINDOW = 1024 * 1024;
const PART = Buffer.from('"t"');
const NOTHING = Buffer.alloc(0);

/** Splits what arrives into frames and gives each to `received(header, content)`. */
class BareConnection {
  /** @param {Received} received */
  constructor(received) {
    this.received = received;
    this.rest = NOTHING;
  }

  /**
   * Says hello, or takes its place at the relay.
   *
   * @param {Arguments} arguments_
   * @param {0 | 1} role
   */
  async connect({ url, relay }, role) {
    this.socket = createConnection(url.replace(/^unix:/, ''));
    await once(this.socket, 'connect');
    if (relay === undefined) {
      this.write('{"op":"hello","v":1,"client":"bare"}');
    } else {
      this.socket.write(Buffer.from([relay * 2 + role]));
      if (role === 1) console.log('waiting');
      const [first] = await once(this.socket, 'data');
      if (first.length > 1) this.dataReceived(first.subarray(1));
    }
    this.socket.on('data', (received) => this.dataReceived(received));
  }

  /** @param {Buffer} received */
  dataReceived(received) {
    const buffer = this.rest.length > 0 ? Buffer.concat([this.rest, received]) : received;
    let at = 0;
    while (buffer.length - at >= 8) {
      const contentAt = at + 8 + buffer.readUInt32BE(at);
      const frameEnd = contentAt + buffer.readUInt32BE(at + 4);
      if (frameEnd > buffer.length) break;
      const header = JSON.parse(buffer.toString('utf8', at + 8, contentAt));
      this.received(header, buffer.subarray(contentAt, frameEnd));
      at = frameEnd;
    }
    this.rest = buffer.subarray(at);
  }

  /**
   * @param {string} header
   * @param {Buffer} content
   */
  write(header, content = NOTHING) {
    const contentAt = 8 + header.length;
    const frame = Buffer.allocUnsafe(contentAt + content.length);
    frame.writeUInt32BE(header.length, 0);
    frame.writeUInt32BE(content.length, 4);
    frame.write(header, 8, 'latin1');
    content.copy(frame, contentAt);
    this.socket?.write(frame);
  }
}

/** Echoes calls, and streams parts for calls to `….stream` while their window is open. */
class BareHost {
  /** @type {Map<number, { window: number, left: number }>} */
  streams = new Map();
  connection = new BareConnection((header, content) => this.received(header, content));

  /** @type {Received} */
  received(header, content) {
    const { op, id = 0 } = header;
    const stream = this.streams.get(id);
    if (op === 'call' && header.to?.endsWith('.stream')) {
      this.streams.set(id, { window: header.window ?? WINDOW, left: Number(content.toString()) });
      this.goOn(id);
    } else if (op === 'call') {
      this.connection.write(`{"op":"data","id":${id},"end":true}`, content);
    } else if (op === 'credit' && stream) {
      stream.window += header.bytes ?? 0;
      this.goOn(id);
    } else if (op === 'ok' && id === 3) {
      console.log('ready');
    } else if (op === 'ping') {
      this.connection.write('{"op":"pong"}');
    } else if (op === 'error') {
      throw new Error(JSON.stringify(header));
    }
  }

  /** @param {number} id */
  goOn(id) {
    const stream = this.streams.get(id);
    if (!stream) return;
    const part = `{"op":"data","id":${id},"part":true}`;
    while (stream.left > 1 && stream.window > 0) {
      this.connection.write(part, PART);
      stream.window -= PART.length + FRAME_COST;
      stream.left -= 1;
    }
    if (stream.left === 1 && stream.window > 0) {
      this.connection.write(`{"op":"data","id":${id},"end":true}`, PART);
      this.streams.delete(id);
    }
  }

  /** @param {Arguments} arguments_ */
  async run(arguments_) {
    await this.connection.connect(arguments_, 1);
    if (arguments_.relay !== undefined) return;
    for (const [id, leaf] of [[1, 'echo'], [3, 'stream']]) {
      this.connection.write(
        `{"op":"register","id":${id},"name":"bench.${leaf}","concurrency":100000}`,
      );
    }
  }
}

/** Calls with a promise each; streams count parts and grant credit in halves of the window. */
class BareCaller {
  /** @type {Map<number, (content: Buffer) => void>} */
  replies = new Map();
  /** @type {Map<number, number>} */
  consumed = new Map();
  nextId = 1;
  connection = new BareConnection((header, content) => this.received(header, content));

  /** @param {Arguments} arguments_ */
  constructor(arguments_) {
    this.arguments = arguments_;
    this.measurement = new Measurement(arguments_);
  }

  /** @type {Received} */
  received({ op, id = 0, end }, content) {
    if (op === 'data') {
      if (this.consumed.has(id)) {
        this.measurement.part();
        this.consume(id, content.length + FRAME_COST);
      }
      if (end) {
        this.replies.get(id)?.(content);
        this.replies.delete(id);
      }
    } else if (op === 'error') {
      throw new Error(`call ${id} failed`);
    } else if (op === 'ping') {
      this.connection.write('{"op":"pong"}');
    }
  }

  /**
   * @param {number} id
   * @param {number} cost
   */
  consume(id, cost) {
    let consumed = (this.consumed.get(id) ?? 0) + cost;
    if (consumed >= WINDOW / 2) {
      this.connection.write(`{"op":"credit","id":${id},"bytes":${consumed}}`);
      consumed = 0;
    }
    this.consumed.set(id, consumed);
  }

  /**
   * @param {string} leaf
   * @param {Buffer} content
   * @returns {{ id: number, reply: Promise<Buffer> }}
   */
  call(leaf, content) {
    const id = this.nextId;
    this.nextId += 2;
    const reply = new Promise((resolve) => this.replies.set(id, resolve));
    this.connection.write(
      `{"op":"call","id":${id},"to":"bench.${leaf}","type":"Ping","timeout_ms":30000}`,
      content,
    );
    return { id, reply };
  }

  /** @param {Buffer} content */
  async echo(content) {
    const reply = await this.call('echo', content).reply;
    if (reply.length !== content.length) throw new Error('another content came back');
  }

  /** @param {number} parts */
  async stream(parts) {
    const { id, reply } = this.call('stream', Buffer.from(String(parts)));
    this.consumed.set(id, 0);
    await reply;
    this.consumed.delete(id);
  }

  async run() {
    const { depth, parts, size } = this.arguments;
    await this.connection.connect(this.arguments, 0);
    if (parts > 0) {
      await streamsOf(this.measurement, () => this.stream(parts));
    } else {
      const content = Buffer.from(`"${'x'.repeat(Math.max(size - 2, 0))}"`);
      await workers(this.measurement, depth, () => this.echo(content));
    }
    this.measurement.print();
    this.connection.socket?.destroy();
  }
}

const arguments_ = readArguments();
if (arguments_.role === 'host') await new BareHost().run(arguments_);
else await new BareCaller(arguments_).run();
