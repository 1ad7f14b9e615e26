/**
 * One socket to the sidecar and its protocol state. It never waits.
 *
 * Ids are numbered and written in one step. What arrives is handed to whatever the id stands for;
 * a frame for an id that has ended crossed its end and is dropped.
 */

import net from 'node:net';

import { checkHeader, errorHeader } from './error-header.js';
import { InvalidArgumentError, UnavailableError, errorFrom } from './errors.js';
import { Header } from './header.js';
import { OpenIds } from './open-ids.js';
import { Outbox } from './outbox.js';
import { Pings } from './pings.js';
import { quoted } from './quoting.js';
import { CONTENT_BYTES_MAX, Decoder, PART_BYTES_MAX, WireError } from './wire.js';

const READ_BYTES = 128 * 1024;
/** After these the connection goes on. */
const HARMLESS = new Set(['unknown_op', 'bad_field', 'missing_field']);

/** @typedef {import('./endpoint.js').Endpoint} Endpoint */
/** @typedef {import('./endpoint.js').Owner} Owner */
/** @typedef {import('./errors.js').AgentError} AgentError */

/** The client's end of one connection. */
export class Connection {
  #owner;
  #hello;
  #socket;
  #outbox;
  /** @type {Decoder<Header>} */
  #decoder;
  #lastOwn = -1;
  #lastTheirs = 0;
  #pings = new Pings(() => this.write('{"op":"ping"}'));
  #helloTimer;
  /** @type {AgentError | undefined} What the sidecar said before it closes. */
  #fault;
  /** @type {() => void} */
  #closed = () => {};

  /**
   * @param {Owner} owner
   * @param {{ path: string } | { host: string, port: number }} where
   * @param {string} hello
   * @param {number} helloMs How long the sidecar may take until it welcomes.
   * @param {number} [greetAfterMs] How long it may speak first, should it refuse who connects.
   */
  constructor(owner, where, hello, helloMs, greetAfterMs = 0) {
    this.#owner = owner;
    this.#hello = hello;
    /** @type {OpenIds<Endpoint>} */
    this.open = new OpenIds();
    /** @type {Set<{ wake(): void }>} Who waits for the socket to take more. */
    this.stalled = new Set();
    this.isWelcome = false;
    /** @type {ReadonlyArray<string>} What both sides know of what is optional. */
    this.features = [];
    /** The sidecar takes no new calls here. */
    this.isDraining = false;
    /** It takes none for good, and stays: its operator drained it. */
    this.isDrained = false;
    /** @type {AgentError | undefined} Why it ended. */
    this.error = undefined;
    this.contentBytesMax = CONTENT_BYTES_MAX;
    /** Content above is sent in parts. */
    this.partBytesMax = PART_BYTES_MAX;
    /** @type {Promise<void>} */
    this.closed = new Promise((resolve) => {
      this.#closed = resolve;
    });
    this.#socket = this.#connect(where, greetAfterMs);
    this.#outbox = new Outbox(this.#socket);
    this.#decoder = new Decoder(
      (op, id, header, bytes, start, end) => this.#frame(op, id, header, bytes, start, end),
      (raw) => new Header(raw),
    );
    this.#helloTimer = setTimeout(() => this.#notWelcomed(), helloMs);
  }

  /** Welcome and not yet lost. */
  get isOpen() {
    return this.isWelcome && this.error === undefined;
  }

  /** The socket takes nothing more for now. */
  get isFull() {
    return this.#outbox.isFull;
  }

  // Opening and closing

  /** @type {(where: net.NetConnectOpts, greetAfterMs: number) => net.Socket} */
  #connect(where, greetAfterMs) {
    // One buffer for all that is read: what is kept of it is copied, and nothing else allocated.
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    const socket = net.connect({
      ...where,
      noDelay: true,
      onread: { buffer, callback: (size) => this.#read(size, buffer) },
    });
    socket.on('connect', () => {
      // A sidecar that refuses whoever connects says so and closes. A write that fails then would
      // take what it said along, so the loop looks for that first.
      const greet = () => this.#greet();
      if (greetAfterMs > 0) setTimeout(greet, greetAfterMs);
      else setImmediate(() => setImmediate(greet));
    });
    socket.on('drain', () => {
      this.#outbox.drained();
      this.#wakeStalled();
    });
    socket.on('error', (error) => this.#failed(error));
    socket.on('end', () => this.#failed());
    socket.on('close', () => {
      this.#failed();
      this.#closed();
    });
    return socket;
  }

  #greet() {
    if (this.error !== undefined) return;
    this.#outbox.append(this.#hello);
    this.#owner.opened(this);
  }

  /** Says goodbye, writes what is left, closes. Open calls end `unavailable`. */
  close() {
    if (this.error !== undefined) return;
    this.goodbye('closed', 0);
    this.#end(new UnavailableError('the client was closed', { reason: 'connection_lost' }));
    this.#outbox.close();
    this.#socket.destroySoon(); // Without waiting for the other side: there is nothing half-open.
  }

  /** Gives up what was not written yet: the sidecar takes nothing. */
  discard() {
    this.#socket.destroy();
  }

  /**
   * Resolves when the sidecar has read all that was written so far, or soon if it does not.
   *
   * @returns {Promise<void>}
   */
  roundTrip() {
    return this.#pings.roundTrip();
  }

  /**
   * No new calls are to come here.
   *
   * @param {string} reason
   * @param {number} timeoutMs
   */
  goodbye(reason, timeoutMs) {
    this.write(`{"op":"goodbye","reason":${quoted(reason)},"timeout_ms":${timeoutMs}}`);
  }

  /**
   * Closes at once; everything open ends with this error.
   *
   * @param {AgentError} error
   */
  abort(error) {
    if (this.error !== undefined) return;
    this.#end(error);
    this.#outbox.close();
    this.#socket.destroy();
  }

  /** @param {Error} [error] */
  #failed(error) {
    if (this.error !== undefined) return;
    const detail = error === undefined ? '' : `: ${error.message}`;
    const lost = new UnavailableError(`the connection was lost${detail}`, {
      reason: 'connection_lost',
      ...(error && { cause: error }),
    });
    this.#end(this.#fault ?? lost);
    this.#socket.destroy();
  }

  /** @param {AgentError} error */
  #end(error) {
    this.error = error;
    this.#decoder.stop();
    clearTimeout(this.#helloTimer);
    this.#pings.stop();
    const endpoints = this.open.values();
    this.open.clear();
    for (const endpoint of endpoints) endpoint.onLost(error);
    this.#wakeStalled();
    this.#owner.lost(this, error);
  }

  #notWelcomed() {
    const message = 'the sidecar sent no welcome';
    this.abort(new UnavailableError(message, { reason: 'connection_lost' }));
  }

  // Writing

  /**
   * Puts one frame behind those before it; returns how many bytes its content takes.
   *
   * @param {string} header
   * @param {string | Uint8Array} [content]
   * @returns {number}
   */
  write(header, content) {
    return this.#outbox.append(header, content);
  }

  /**
   * Numbers and writes an opening frame in one step; returns its id.
   *
   * @param {Endpoint} endpoint
   * @param {string} op
   * @param {string} rest The header behind the id.
   * @param {string | Uint8Array} [content]
   * @returns {number}
   */
  openId(endpoint, op, rest, content) {
    const id = this.#lastOwn + 2;
    const header = `{"op":"${op}","id":${id}${rest}`;
    checkHeader(header);
    this.#lastOwn = id;
    this.open.set(id, endpoint);
    this.#outbox.append(header, content);
    return id;
  }

  /**
   * Ends an id of the sidecar's with an error; with `isMore` its stream goes on.
   *
   * @param {number} id
   * @param {unknown} thrown
   * @param {{ retry?: boolean, isMore?: boolean }} [options]
   */
  writeError(id, thrown, options) {
    this.write(errorHeader(id, thrown, options));
  }

  #wakeStalled() {
    const stalled = [...this.stalled];
    this.stalled.clear();
    for (const each of stalled) each.wake();
  }

  // Reading

  /**
   * @param {number} size
   * @param {Buffer} bytes
   */
  #read(size, bytes) {
    this.#pings.heard();
    this.#decoder.feed(bytes, size);
    const { error } = this.#decoder;
    if (error !== undefined && this.error === undefined) this.#refuse(error);
    return true; // Goes on reading, whatever becomes of it.
  }

  /**
   * @param {string} op
   * @param {number} id
   * @param {Header} header
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   */
  #frame(op, id, header, bytes, start, end) {
    if (op === 'data') {
      const endpoint = this.open.get(id);
      if (endpoint !== undefined) endpoint.onData(header, bytes, start, end);
      else this.#checkLate(id);
    } else if (op === 'call') {
      if (this.#takes(id)) this.#owner.called(this, id, header, bytes, start, end);
    } else if (op === 'signal') {
      if (this.#takes(id)) this.#owner.signalled(this, id, header, bytes, start, end);
    } else {
      this.#control(op, id, header);
    }
  }

  /**
   * @param {string} op
   * @param {number} id
   * @param {Header} header
   */
  #control(op, id, header) {
    switch (op) {
      case 'credit':
        return this.endpoint(id)?.onCredit(header.bytes);
      case 'error':
        return this.#onError(id, header);
      case 'ok':
        return this.endpoint(id)?.onOk();
      case 'cancel':
        return this.endpoint(id)?.onCancel(header.reason);
      case 'ping':
        this.write('{"op":"pong"}');
        return undefined;
      case 'pong':
        this.#pings.answered();
        return undefined;
      case 'close':
        if (this.#takes(id)) this.#owner.closing(this, id, header);
        return undefined;
      case 'welcome':
        return this.#onWelcome(header);
      case 'goodbye':
        this.isDrained = header.reason === 'drained';
        this.isDraining = !this.isDrained;
        if (this.isDrained) this.#owner.drained(this, header.timeoutMs);
        return undefined;
      default:
        return undefined; // Of a later version.
    }
  }

  /**
   * What an open id stands for; none for one that has ended. One that never was is fatal.
   *
   * @param {number} id
   */
  endpoint(id) {
    const endpoint = this.open.get(id);
    if (endpoint === undefined) this.#checkLate(id);
    return endpoint;
  }

  /**
   * @param {number} id
   * @param {Header} header
   */
  #onError(id, header) {
    if (id !== 0) {
      this.endpoint(id)?.onError(errorFrom(header), header.more);
    } else if (!HARMLESS.has(header.reason) || !this.isWelcome) {
      // The connection's fault: the sidecar closes now, and this says why.
      this.#fault = errorFrom(header);
      if (!this.isWelcome) this.abort(this.#fault);
    }
  }

  /** @param {Header} header */
  #onWelcome(header) {
    if (this.isWelcome) return;
    this.isWelcome = true;
    this.features = header.features.split(' ');
    clearTimeout(this.#helloTimer);
    if (header.maxContent > 0) {
      this.contentBytesMax = header.maxContent;
      this.partBytesMax = Math.min(header.maxContent, PART_BYTES_MAX);
      this.#decoder.contentBytesMax = Math.max(header.maxContent, CONTENT_BYTES_MAX);
    }
    if (header.heartbeatMs > 0) {
      this.#pings.start(header.heartbeatMs, (message) =>
        this.abort(new UnavailableError(message, { reason: 'heartbeat_timeout' })),
      );
    }
    this.#owner.welcomed(this);
  }

  /** @param {number} id Whether the sidecar may open it is asked. */
  #takes(id) {
    if (id % 2 !== 0 || id <= this.#lastTheirs) {
      this.#refuse(new WireError('bad_id', `${id} cannot be opened after ${this.#lastTheirs}`));
      return false;
    }
    this.#lastTheirs = id;
    return true;
  }

  /** @param {number} id A frame came for it, and it is not open: it has ended, or never was. */
  #checkLate(id) {
    const last = id % 2 === 0 ? this.#lastTheirs : this.#lastOwn;
    if (id === 0 || id > last) this.#refuse(new WireError('bad_id', `${id} was never opened`));
  }

  /** @param {WireError} error */
  #refuse(error) {
    if (this.error !== undefined) return;
    const fault = new InvalidArgumentError(error.message, { reason: error.reason });
    this.write(errorHeader(0, fault));
    this.#end(
      new UnavailableError(`the sidecar sent what cannot be trusted: ${error.message}`, {
        reason: 'connection_lost',
        cause: fault,
      }),
    );
    this.#outbox.close();
    this.#socket.destroySoon(); // Without waiting for the other side: there is nothing half-open.
  }
}
