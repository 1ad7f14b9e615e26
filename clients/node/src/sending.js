/**
 * One direction of a call as its sender sees it: messages go out while there is credit.
 *
 * A frame may be sent while the window is above zero, and overdraws it by itself at most. Content
 * over 256 KiB goes in parts, so that nothing else waits long behind it.
 */

import { BYTES_TYPE, Encoded, TEXT_TYPE, isText, sizeOf } from './content.js';
import { checkHeader } from './error-header.js';
import { FailedPreconditionError, InvalidArgumentError } from './errors.js';
import { firstRest, laterRest } from './header.js';
import { isWellFormed } from './quoting.js';
import { checkFits } from './requests.js';
import { FRAME_COST } from './wire.js';

/** @typedef {import('./errors.js').AgentError} AgentError */
/** @typedef {import('./calls.js').OwnCall} OwnCall */
/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./content.js').Part} Part */

const WINDOW_MAX = 2 ** 31 - 1;

/** The sender of one direction. Messages go in the order in which `send` was called. */
export class Sending {
  #connection;
  /** A message has begun whose end is still to come. */
  #isInPart = false;
  /** @type {AgentError | undefined} */
  #error;
  /** @type {Promise<void> | undefined} What is being sent and waits for credit. */
  #busy;
  /** @type {Array<() => void> | undefined} */
  #waiters;

  /**
   * @param {Connection} connection
   * @param {number} id
   * @param {number} window
   */
  constructor(connection, id, window) {
    this.#connection = connection;
    this.id = id;
    this.window = window;
  }

  /** There is credit, the socket takes more, and the call goes on. */
  get maySend() {
    return this.window > 0 && this.#error === undefined && !this.#connection.isFull;
  }

  /** Why nothing can be sent any more. */
  get error() {
    return this.#error;
  }

  /**
   * The receiver grants more.
   *
   * @param {number} bytes
   */
  credit(bytes) {
    this.window = Math.min(this.window + bytes, WINDOW_MAX);
    if (this.window > 0) this.wake();
  }

  /**
   * The direction is over; who waits to send gets this.
   *
   * @param {AgentError} error
   */
  close(error) {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.wake();
  }

  /** Lets whoever waits look again. */
  wake() {
    const waiters = this.#waiters;
    if (waiters === undefined) return;
    this.#waiters = undefined;
    for (const waiter of waiters) waiter();
  }

  /**
   * Sends at once if that needs no waiting.
   *
   * @param {Encoded} message
   * @param {boolean} isEnd The last of this direction.
   * @returns {boolean} Whether it did.
   */
  trySend(message, isEnd) {
    const { content } = message;
    if (
      !this.maySend ||
      this.#isInPart ||
      this.#busy !== undefined ||
      this.#isLarge(content)
    ) {
      return false;
    }
    this.#write(firstRest(message.type, message.contentType, message.ext, false, isEnd), content);
    return true;
  }

  /**
   * Sends one message, in parts if it is large, waiting for credit before each.
   *
   * @param {Encoded} message
   * @param {{ isEnd?: boolean }} options
   * @returns {Promise<void>}
   */
  async send(message, { isEnd = false } = {}) {
    if (this.trySend(message, isEnd)) return;
    await this.#inTurn(() => this.#sendSlowly(message, isEnd));
  }

  /**
   * Sends a piece of a message that goes on, at once if that needs no waiting.
   *
   * @param {Part} part
   * @returns {boolean} Whether it did.
   */
  trySendPart({ content, type }) {
    if (!this.maySend || this.#busy !== undefined || this.#isLarge(content)) return false;
    this.#writePart(content, type);
    return true;
  }

  /**
   * Sends a piece of a message that goes on, waiting for credit.
   *
   * @param {Part} part
   */
  async sendPart({ content, type }) {
    await this.#inTurn(async () => {
      const contentType = typeof content === 'string' ? TEXT_TYPE : BYTES_TYPE;
      for (const piece of this.#pieces(content, contentType)) {
        if (!this.maySend) await this.ready();
        this.#writePart(piece, type, contentType);
      }
    });
  }

  /**
   * @param {string | Uint8Array} content
   * @param {string} type
   * @param {string} [contentType] Of what this is a piece of.
   */
  #writePart(content, type, contentType) {
    if (typeof content === 'string' && !isWellFormed(content)) {
      throw new InvalidArgumentError('the text holds a lone surrogate', { reason: 'bad_content' });
    }
    let rest = laterRest(true, false);
    if (!this.#isInPart) {
      const usual = typeof content === 'string' ? TEXT_TYPE : BYTES_TYPE;
      rest = firstRest(type, contentType ?? usual, undefined, true, false);
      this.#isInPart = true;
    }
    this.#write(rest, content);
  }

  /**
   * Sends one whole message that need not wait for what is spliced before it.
   *
   * @param {Encoded} message
   */
  async sendUnordered(message) {
    const { type, contentType, ext, content } = message;
    checkFits({ connection: this.#connection }, message);
    await this.#inTurn(async () => {
      if (!this.maySend) await this.ready();
      this.#write(`,"unordered":true${firstRest(type, contentType, ext, false, false)}`, content);
    });
  }

  /**
   * Puts the replies of another call at this place; with `isEnd` they are the rest of all.
   *
   * @param {OwnCall} call
   * @param {{ isEnd?: boolean, isUnordered?: boolean }} how
   */
  async splice(call, { isEnd = false, isUnordered = false }) {
    await this.#inTurn(async () => {
      await call.firstSent; // With the splice its input has ended.
      if (this.#isInPart) await this.#endPart(false);
      if (this.#error !== undefined) throw this.#error;
      let header = `{"op":"splice","id":${this.id},"call":${call.handOver()}`;
      if (isEnd) header += ',"end":true';
      if (isUnordered) header += ',"unordered":true';
      this.#connection.write(`${header}}`);
    });
  }

  /**
   * Sends an error at this position, which ends an open message; the stream goes on.
   *
   * @param {AgentError} error
   */
  async sendError(error) {
    await this.#inTurn(async () => {
      if (!this.maySend) await this.ready();
      this.#isInPart = false;
      this.window -= FRAME_COST;
      this.#connection.writeError(this.id, error, { isMore: true });
    });
  }

  /**
   * Waits until a frame may be sent, or until something else is enough; throws the error that ended
   * the call.
   *
   * @param {() => boolean} [isEnough]
   */
  async ready(isEnough) {
    while (!this.maySend && !isEnough?.()) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#connection.isFull) this.#connection.stalled.add(this);
      await new Promise((resolve) => {
        (this.#waiters ??= []).push(() => resolve(undefined));
      });
    }
  }

  /** No more messages: an empty last frame, which needs no credit. */
  async finish() {
    if (this.#busy !== undefined || this.#isInPart) {
      await this.#inTurn(async () => {
        if (this.#isInPart) await this.#endPart(true);
        else this.end();
      });
    } else {
      this.end();
    }
  }

  /** As `finish`, where nothing else is being sent. */
  end() {
    if (this.#error !== undefined) return;
    this.#connection.write(`{"op":"data","id":${this.id},"end":true}`);
    this.#closeInput();
  }

  /**
   * One thing at a time is sent; what is asked for meanwhile comes after it, in order.
   *
   * @param {() => Promise<void>} work
   */
  async #inTurn(work) {
    const before = this.#busy;
    const turn = (async () => {
      // What went wrong with the one before was told to whoever wanted it.
      if (before !== undefined) await before.catch(() => {});
      await work();
    })();
    this.#busy = turn;
    try {
      await turn;
    } finally {
      if (this.#busy === turn) this.#busy = undefined;
    }
  }

  /**
   * @param {Encoded} message
   * @param {boolean} isEnd
   */
  async #sendSlowly(message, isEnd) {
    if (this.#isInPart) await this.#endPart(false);
    const { type, contentType, ext, content } = message;
    const pieces = this.#pieces(content, contentType);
    for (const [index, piece] of pieces.entries()) {
      if (!this.maySend) await this.ready();
      const isPart = index < pieces.length - 1;
      const isLast = isEnd && !isPart;
      const rest =
        index === 0 ? firstRest(type, contentType, ext, isPart, isLast) : laterRest(isPart, isLast);
      this.#write(rest, piece);
    }
  }

  /**
   * Whether content may be too large for one frame.
   *
   * @param {string | Uint8Array} content
   */
  #isLarge(content) {
    // A character takes three bytes at most.
    const most = typeof content === 'string' ? content.length * 3 : content.length;
    return most > this.#connection.partBytesMax;
  }

  /**
   * Content as it goes into frames: one piece unless it is large. Texts are cut between characters.
   *
   * @param {string | Uint8Array} content
   * @param {string} contentType
   */
  #pieces(content, contentType) {
    if (!this.#isLarge(content)) return [content];
    const bytesMax = this.#connection.partBytesMax;
    const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
    const pieces = [];
    let at = 0;
    do {
      let stop = Math.min(at + bytesMax, bytes.length);
      if (stop < bytes.length && isText(contentType)) {
        while ((bytes[stop] & 0xc0) === 0x80 && stop > at + bytesMax - 4) stop -= 1;
      }
      pieces.push(bytes.subarray(at, stop));
      at = stop;
    } while (at < bytes.length);
    return pieces;
  }

  /**
   * An empty last piece for a message that went on.
   *
   * @param {boolean} isEnd The last of all.
   */
  async #endPart(isEnd) {
    if (!this.maySend) await this.ready();
    this.#isInPart = false;
    // Named as content, or at the end it would be no piece of a message at all.
    this.#write(isEnd ? firstRest('', TEXT_TYPE, undefined, false, true) : laterRest(false, false));
    if (isEnd) this.#closeInput();
  }

  #closeInput() {
    this.close(new FailedPreconditionError('the input has ended', { reason: 'call_ended' }));
  }

  /**
   * @param {string} rest The header behind the id.
   * @param {string | Uint8Array} [content]
   */
  #write(rest, content) {
    checkHeader(rest);
    const size = this.#connection.write(`{"op":"data","id":${this.id}${rest}`, content);
    this.window -= size + FRAME_COST;
  }
}

/**
 * The window that is left of one after content was sent in the call's own frame.
 *
 * @param {number} window
 * @param {string | Uint8Array} content
 */
export function windowBehind(window, content) {
  const size = sizeOf(content);
  return size === 0 ? window : window - size - FRAME_COST;
}
