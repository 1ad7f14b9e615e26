/**
 * What is to be written to a socket, frame behind frame in one buffer.
 *
 * Frames of one turn go out together when the turn's JavaScript is done, and earlier once they are
 * many; one alone waits for nothing else either.
 */

import { sizeOf } from './content.js';

const BUFFER_BYTES = 64 * 1024;
const HIGH_WATER_BYTES = 1024 * 1024;

export class Outbox {
  /** @type {import('node:net').Socket} */
  #socket;
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #start = 0;
  #end = 0;
  #isScheduled = false;
  #isClosed = false;
  #flushLater;

  /** @param {import('node:net').Socket} socket */
  constructor(socket) {
    this.#socket = socket;
    /** The socket takes nothing more for now. */
    this.isFull = false;
    const flush = () => {
      this.#isScheduled = false;
      this.flush();
    };
    // Behind all that is ready to run now, and what it makes ready: one write for the turn.
    this.#flushLater = () => process.nextTick(flush);
  }


  /**
   * Puts a frame behind those before it; returns how many bytes its content takes.
   *
   * @param {string} header
   * @param {string | Uint8Array} [content] Text is written as UTF-8.
   * @returns {number}
   */
  append(header, content = '') {
    if (this.#isClosed) return sizeOf(content);
    // A character takes three bytes at most.
    const most = 8 + (header.length + content.length) * 3;
    if (most > this.#buffer.length - this.#end) {
      if (most > BUFFER_BYTES) return this.#appendLarge(header, content);
      this.flush();
      if (most > this.#buffer.length - this.#end) this.#renew();
    }
    const buffer = this.#buffer;
    const at = this.#end;
    const headerSize = buffer.write(header, at + 8);
    const middle = at + 8 + headerSize;
    let contentSize = 0;
    if (typeof content === 'string') {
      if (content.length > 0) contentSize = buffer.write(content, middle);
    } else {
      contentSize = content.length;
      buffer.set(content, middle);
    }
    putLengths(buffer, at, headerSize, contentSize);
    this.#end = middle + contentSize;
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      queueMicrotask(this.#flushLater);
    }
    return contentSize;
  }

  /** Writes what is there. */
  flush() {
    if (this.#end === this.#start) return;
    const socket = this.#socket;
    const piece = this.#buffer.subarray(this.#start, this.#end);
    this.#start = this.#end;
    if (!socket.writable) {
      this.#end = this.#start = 0;
      return;
    }
    socket.write(piece);
    const waiting = socket.writableLength;
    if (waiting === 0) this.#end = this.#start = 0; // The kernel has it all.
    else this.isFull = waiting >= HIGH_WATER_BYTES;
  }

  /** The socket has taken what waited. */
  drained() {
    this.isFull = false;
  }

  /** Writes what is there, and takes nothing more. */
  close() {
    this.flush();
    this.#isClosed = true;
  }

  /**
   * @param {string} header
   * @param {string | Uint8Array} content
   */
  #appendLarge(header, content) {
    this.flush();
    const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
    const raw = Buffer.from(`01234567${header}`, 'utf8');
    putLengths(raw, 0, raw.length - 8, bytes.length);
    const socket = this.#socket;
    if (socket.writable) {
      socket.cork();
      socket.write(raw);
      // Copied, for it may be changed by whom it belongs to before the socket has taken it.
      socket.write(typeof content === 'string' ? bytes : Buffer.from(bytes));
      socket.uncork();
      this.isFull = socket.writableLength >= HIGH_WATER_BYTES;
    }
    return bytes.length;
  }

  /** What stands in the buffer is still being written: another takes what comes. */
  #renew() {
    this.#buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    this.#start = this.#end = 0;
  }
}

/**
 * @param {Buffer} buffer
 * @param {number} at
 * @param {number} headerSize
 * @param {number} contentSize
 */
function putLengths(buffer, at, headerSize, contentSize) {
  buffer[at] = headerSize >>> 24;
  buffer[at + 1] = headerSize >>> 16;
  buffer[at + 2] = headerSize >>> 8;
  buffer[at + 3] = headerSize;
  buffer[at + 4] = contentSize >>> 24;
  buffer[at + 5] = contentSize >>> 16;
  buffer[at + 6] = contentSize >>> 8;
  buffer[at + 7] = contentSize;
}
