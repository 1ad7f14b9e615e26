/** Readers of one direction of a call: async iterators, each at its own pace. */

import { Message, decodeKept, isAscii, isText, joinKept } from './content.js';
import './disposal.js';

/** @typedef {import('./content.js').Kept} Kept */
/** @typedef {import('./header.js').Header} Header */
/** @typedef {import('./receiving.js').Link} Link */
/** @typedef {import('./receiving.js').Receiving} Receiving */

/** Not yet a value: the message goes on. */
const PENDING = Symbol('pending');

/** A reader that was forgotten without being left is left by the collector. */
const forgotten = new FinalizationRegistry((/** @type {Receiving} */ receiving) => {
  if (!receiving.isEnded) receiving.left();
});

/**
 * Reads one direction from where it starts. Leaving it before the end (`break`, `return()`) tells
 * the direction: when the last reader of a reply leaves, the call is cancelled.
 *
 * @template T
 * @implements {AsyncIterableIterator<T>}
 */
class Reader {
  #receiving;
  /** @type {Link} */
  #at;
  #isOpen = true;
  /** @type {Array<{ resolve(result: IteratorResult<T>): void, reject(error: unknown): void }>} */
  #asked = [];

  /**
   * @param {Receiving} receiving
   * @param {Link} start
   */
  constructor(receiving, start) {
    this.#receiving = receiving;
    this.#at = start;
    receiving.readers += 1;
    forgotten.register(this, receiving, this);
  }

  /** @returns {this} */
  [Symbol.asyncIterator]() {
    return this;
  }

  /** @returns {Promise<void>} As `return()`. */
  async [Symbol.asyncDispose]() {
    this.leave();
  }

  /** @returns {Promise<IteratorResult<T, undefined>>} */
  next() {
    if (this.#asked.length === 0) {
      try {
        const result = this.#advance();
        if (result !== undefined) return Promise.resolve(result);
      } catch (error) {
        return Promise.reject(error);
      }
      this.#receiving.wait(this);
    }
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
    });
  }

  /**
   * Reads no further. After the end, nothing.
   *
   * @returns {Promise<IteratorResult<T, undefined>>}
   */
  async return() {
    this.leave();
    return { value: undefined, done: true };
  }

  /** As `return()`, for where nothing can be awaited. */
  leave() {
    if (!this.#isOpen) return;
    this.#close();
    this.#receiving.left();
    this.wake();
  }

  /** Answers who asked, as far as something has come. */
  wake() {
    while (this.#asked.length > 0) {
      const { resolve, reject } = this.#asked[0];
      try {
        const result = this.#advance();
        if (result === undefined) {
          this.#receiving.wait(this);
          return;
        }
        resolve(result);
      } catch (error) {
        reject(error);
      }
      this.#asked.shift();
    }
  }

  /**
   * The value that is complete with this frame, if one is.
   *
   * @param {Link} _link
   * @returns {T | typeof PENDING}
   */
  step(_link) {
    throw new Error('a reader says what it reads');
  }

  /**
   * What `next` gives, or undefined while nothing is there.
   *
   * @returns {IteratorResult<T, undefined> | undefined}
   */
  #advance() {
    const receiving = this.#receiving;
    while (this.#isOpen) {
      const link = receiving.after(this.#at);
      if (link !== undefined) {
        this.#at = link;
        let value;
        try {
          value = this.step(link);
        } catch (error) {
          this.leave(); // A loop that was thrown out of does not come back.
          throw error;
        }
        if (value !== PENDING) return { value: /** @type {T} */ (value), done: false };
      } else if (receiving.isEnded) {
        this.#close();
        receiving.readers -= 1;
        if (receiving.error !== undefined) throw receiving.error;
      } else {
        return undefined;
      }
    }
    return { value: undefined, done: true };
  }

  #close() {
    this.#isOpen = false;
    forgotten.unregister(this);
  }
}

/**
 * Reads whole messages, each as `convert` makes it.
 *
 * @template T
 * @extends {Reader<T>}
 */
export class MessageReader extends Reader {
  #convert;
  #showsErrors;
  /** @type {Link | undefined} The first piece of a message that goes on. */
  #first;

  /**
   * @param {Receiving} receiving
   * @param {Link} start
   * @param {(header: Header, content: Kept) => T} convert
   * @param {{ showsErrors?: boolean }} options
   */
  constructor(receiving, start, convert, { showsErrors = false } = {}) {
    super(receiving, start);
    this.#convert = convert;
    this.#showsErrors = showsErrors;
  }

  /**
   * @param {Link} link
   */
  step(link) {
    if (link.isPart) {
      this.#first ??= link;
      return PENDING;
    }
    const first = this.#first;
    this.#first = undefined;
    if (link.error !== undefined) {
      if (!this.#showsErrors) throw link.error;
      return /** @type {T} */ (/** @type {unknown} */ (Message.failed(link.error)));
    }
    if (first === undefined) return this.#convert(link.header, link.content);
    const pieces = [];
    for (let each = first; each !== link; each = /** @type {Link} */ (each.next)) {
      pieces.push(each.content);
    }
    pieces.push(link.content);
    return this.#convert(first.header, joinKept(pieces));
  }
}

/**
 * Reads frames as they come: pieces of texts as strings, of anything else as Buffers.
 *
 * @extends {Reader<string | Buffer>}
 */
export class PartReader extends Reader {
  /** @type {Link | undefined} */
  #first;
  #decoder = new TextDecoder();
  /** The piece before may have ended in the middle of a character. */
  #isCut = false;

  /**
   * @param {Link} link
   */
  step(link) {
    const first = this.#first ?? link;
    this.#first = link.isPart ? first : undefined;
    if (link.error !== undefined) throw link.error;
    const { content } = link;
    if (typeof content === 'string' && content !== '' && !this.#isCut && isAscii(content)) {
      if (isText(first.header.contentType)) return content;
    }
    const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
    if (!isText(first.header.contentType)) {
      // An empty frame that only ends a message is no piece of it.
      return content.length === 0 && first !== link ? PENDING : bytes;
    }
    // A sender may cut in the middle of a character: what is missing comes with the next piece.
    this.#isCut = link.isPart;
    const text = this.#decoder.decode(bytes, { stream: link.isPart });
    return text === '' && (first !== link || link.isPart) ? PENDING : text;
  }
}

/**
 * A message as a value.
 *
 * @param {Header} header
 * @param {Kept} content
 * @returns {any}
 */
export function valueOf(header, content) {
  return decodeKept(content, header.contentType);
}

/**
 * A message with what its header says.
 *
 * @param {Header} header
 * @param {Kept} content
 * @returns {Message}
 */
export function messageOf({ type, contentType, ext }, content) {
  return new Message(content, { type, contentType, ext });
}
