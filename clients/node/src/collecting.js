/** The replies of a call of which one value is wanted: taken as they arrive, and no longer kept. */

import { collected, decode, decodeKept, joinKept, keep } from './content.js';
import { isBareEnd } from './receiving.js';
import { FRAME_COST } from './wire.js';

/** @typedef {import('./content.js').Kept} Kept */
/** @typedef {import('./errors.js').AgentError} AgentError */
/** @typedef {import('./header.js').Header} Header */
/** @typedef {import('./receiving.js').Source} Source */

/** Frames that become one value; a sink as `Receiving` is. */
export class Collecting {
  #collect;
  #source;
  #threshold;
  #resolve;
  #reject;
  #owed = 0;
  /** @type {any[]} */
  #values = [];
  /** @type {{ contentType: string, pieces: Kept[] } | undefined} A message that goes on. */
  #open;

  /**
   * @param {number} window
   * @param {Source} source
   * @param {import('./content.js').Collect | undefined} collect
   * @param {(value: any) => void} resolve
   * @param {(error: unknown) => void} reject
   */
  constructor(window, source, collect, resolve, reject) {
    this.#collect = collect;
    this.#source = source;
    this.#threshold = Math.max(Math.floor(window / 2), 1);
    this.#resolve = resolve;
    this.#reject = reject;
    this.isEnded = false;
    this.isEmpty = true;
    /** @type {AgentError | undefined} */
    this.error = undefined;
  }

  /**
   * @param {Header} header
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   */
  frame(header, bytes, start, end) {
    if (this.isEnded) return;
    this.isEmpty = false;
    try {
      if (!isBareEnd(header, end - start)) this.#take(header, bytes, start, end);
      else if (this.#open !== undefined) this.#complete();
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (header.end) {
      this.isEnded = true;
      this.#settle();
      return;
    }
    this.#owed += end - start + FRAME_COST;
    if (this.#owed >= this.#threshold) {
      const owed = this.#owed;
      this.#owed = 0;
      this.#source.grant(owed);
    }
  }

  /**
   * An error at a position: there will be no one value.
   *
   * @param {AgentError} error
   */
  failedAt(error) {
    if (!this.isEnded) this.#fail(error);
  }

  /**
   * Nothing more comes.
   *
   * @param {AgentError} [error]
   */
  end(error) {
    if (this.isEnded) return;
    this.isEnded = true;
    this.error = error;
    if (error !== undefined) this.#reject(error);
    else this.#settle();
  }

  /** As `Receiving.renew`: all that came was taken. */
  renew() {
    this.#owed = 0;
    return 0;
  }

  #settle() {
    try {
      this.#resolve(collected(this.#values, this.#collect));
    } catch (error) {
      this.#reject(error);
    }
  }

  /**
   * @param {Header} header
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   */
  #take(header, bytes, start, end) {
    const isPart = header.part && !header.end;
    if (this.#open === undefined && !isPart) {
      this.#values.push(decode(bytes, start, end, header.contentType));
      return;
    }
    this.#open ??= { contentType: header.contentType, pieces: [] };
    this.#open.pieces.push(keep(bytes, start, end));
    if (!isPart) this.#complete();
  }

  #complete() {
    if (this.#open === undefined) return;
    const { pieces, contentType } = this.#open;
    this.#open = undefined;
    this.#values.push(decodeKept(joinKept(pieces), contentType));
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#reject(error);
    this.#source.abandoned();
  }
}
