/**
 * One direction of a call as its receiver sees it.
 *
 * Frames stand in a chain that any number of readers walk, each from the start. A reader holds only
 * the frame it stands on, so frames that nobody can reach any more are freed at once; whoever keeps
 * the first one (a `Reply` does) keeps the whole for replay.
 *
 * Credit is granted for what the fastest reader has taken, half a window at a time.
 */

import { keep } from './content.js';
import { NO_HEADER } from './header.js';
import { FRAME_COST } from './wire.js';

/** @typedef {import('./errors.js').AgentError} AgentError */
/** @typedef {import('./header.js').Header} Header */
/** @typedef {import('./content.js').Kept} Kept */

/**
 * Whose direction it is: grants credit, and hears when the last reader has left before the end.
 *
 * @typedef {{ grant(bytes: number): void, abandoned(): void }} Source
 */

/** A frame in the chain. `isPart`: its message goes on in the next one. */
export class Link {
  /**
   * @param {number} index
   * @param {Header} header
   * @param {Kept} content
   * @param {boolean} isPart
   * @param {number} cost
   * @param {AgentError} [error] Instead of content.
   */
  constructor(index, header, content, isPart, cost, error) {
    this.index = index;
    this.header = header;
    this.content = content;
    this.isPart = isPart;
    this.cost = cost;
    this.error = error;
    /** @type {Link | undefined} */
    this.next = undefined;
  }
}

/**
 * Whether a frame with `end` carries no message.
 *
 * @param {Header} header
 * @param {number} size
 */
export function isBareEnd(header, size) {
  return header.end && size === 0 && header.type === '' && header.contentType === '';
}

/** The frames of one direction, as they arrive. */
export class Receiving {
  /** @type {Source | undefined} None once it has ended: what is bound to it can be freed. */
  #source;
  #threshold;
  #owed = 0;
  /** What came and was not taken yet costs this. */
  #unread = 0;
  /** @type {Array<{ wake(): void }>} */
  #waiting = [];

  /**
   * @param {number} window
   * @param {Source} source
   */
  constructor(window, source) {
    this.#source = source;
    this.#threshold = Math.max(Math.floor(window / 2), 1);
    /** The last frame so far; before any, the one to start reading from. */
    this.last = new Link(0, NO_HEADER, '', false, 0);
    /** What the fastest reader took last. */
    this.taken = this.last;
    this.isEnded = false;
    /** @type {AgentError | undefined} */
    this.error = undefined;
    this.readers = 0;
  }

  /** Nothing has come yet. */
  get isEmpty() {
    return this.last.index === 0;
  }

  /**
   * A `data` frame arrived.
   *
   * @param {Header} header
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   */
  frame(header, bytes, start, end) {
    if (this.isEnded) return;
    const size = end - start;
    if (!isBareEnd(header, size)) {
      this.#add(header, keep(bytes, start, end), header.part && !header.end, size + FRAME_COST);
    } else if (this.last.isPart) {
      this.#add(header, '', false, 0); // The open message ends here; no message of its own.
    }
    if (header.end) this.#close();
    this.#wake();
  }

  /**
   * An error at a position: it ends an open message, the stream goes on.
   *
   * @param {AgentError} error
   */
  failedAt(error) {
    if (this.isEnded) return;
    this.#add(NO_HEADER, '', false, FRAME_COST, error);
    this.#wake();
  }

  /**
   * Nothing more comes.
   *
   * @param {AgentError} [error]
   */
  end(error) {
    if (this.isEnded) return;
    if (error === undefined && this.last.isPart) this.#add(NO_HEADER, '', false, 0);
    this.error = error;
    this.#close();
    this.#wake();
  }

  /**
   * The next frame behind this one, if it is there. Credit is granted for it.
   *
   * @param {Link} link
   * @returns {Link | undefined}
   */
  after(link) {
    const { next } = link;
    if (next !== undefined && next.index > this.taken.index) {
      this.taken = next;
      this.#owed += next.cost;
      this.#unread -= next.cost;
      if (this.#owed >= this.#threshold && this.#source !== undefined) {
        const owed = this.#owed;
        this.#owed = 0;
        this.#source.grant(owed);
      }
    }
    return next;
  }

  /**
   * Its sender begins with a new window: what was taken so far is granted with that.
   *
   * @returns {number} What of a window is still taken up.
   */
  renew() {
    this.#owed = 0;
    return this.#unread;
  }

  /**
   * Wakes whoever this is once something has come.
   *
   * @param {{ wake(): void }} waiter
   */
  wait(waiter) {
    this.#waiting.push(waiter);
  }

  /** A reader left before the end. */
  left() {
    this.readers -= 1;
    if (this.readers === 0) this.#source?.abandoned();
  }

  /**
   * @param {Header} header
   * @param {Kept} content
   * @param {boolean} isPart
   * @param {number} cost
   * @param {AgentError} [error]
   */
  #add(header, content, isPart, cost, error) {
    const link = new Link(this.last.index + 1, header, content, isPart, cost, error);
    this.last.next = link;
    this.last = link;
    this.#unread += cost;
  }

  #close() {
    this.isEnded = true;
    this.#source = undefined;
  }

  #wake() {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) each.wake();
  }
}
