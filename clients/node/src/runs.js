/**
 * Runs: calls whose replies the sidecar keeps, so that they outlive who reads them.
 *
 * A call with a run that loses its connection is not over: on the next one it becomes an
 * attachment, which begins behind the last frame that came.
 */

import { JSON_TYPE, encodeJson } from './content.js';
import { flowRest, toRest } from './header.js';

/** @typedef {import('./collecting.js').Collecting} Collecting */
/** @typedef {import('./receiving.js').Receiving} Receiving */
/** @typedef {import('./requests.js').Request} Request */

/**
 * A run as the sidecar lists it.
 *
 * @typedef {object} Run
 * @property {string} name
 * @property {string} to What was called.
 * @property {string} type The type of its message, or "".
 * @property {'waiting' | 'running' | 'ended'} state
 * @property {number} frames How many there were so far.
 * @property {number} first The oldest that is kept.
 * @property {number} bytes How many are kept.
 * @property {number} readers
 * @property {boolean} isDetached It goes on without readers.
 * @property {number} ageMs
 * @property {number | undefined} endedMs How long ago it ended; undefined while it is open.
 * @property {string} code Of its end; "" while it is open, or where it ended well.
 * @property {string} principal Whose it is: `uid 1000`, `token ci`.
 */

/**
 * @typedef {object} Attachment
 * @property {number} [from] The number of the first frame (0).
 * @property {boolean} [tail] Only what comes from now on.
 */

/** How far a call here has read a run. */
export class RunReading {
  #run;
  #from;
  #isTail;
  #isOpener;
  /** How many frames came, over all connections. */
  #frames = 0;
  /** It was attached to again: its connection was lost. */
  isResumed = false;

  /**
   * @param {string} run
   * @param {Attachment} [attachment] None for the call that opened it.
   */
  constructor(run, attachment) {
    this.#run = run;
    this.#isOpener = attachment === undefined;
    this.#from = attachment?.from ?? 0;
    this.#isTail = attachment?.tail ?? false;
  }

  /** What an `Attach` says. */
  get body() {
    if (this.#isTail) return { run: this.#run, tail: true };
    const from = this.#from + this.#frames;
    return { run: this.#run, from, ...(this.#isOpener && { resume: true }) };
  }

  /** A frame came. */
  count() {
    this.#frames += 1;
  }

  /**
   * The request to go on with on the next connection; undefined where nobody knows where: with a
   * call that it served, with a message that was still going out, or for want of a number.
   *
   * @param {Request} request
   * @param {boolean} isSending The first message is still going out.
   * @returns {Request | undefined}
   */
  resumed(request, isSending) {
    const isServing = request.parent !== undefined && !request.isDetached;
    if (isSending || isServing || (this.#isTail && this.#frames > 0)) return undefined;
    this.isResumed = true;
    return { ...request, first: undefined, isOpen: false, isHeld: false, parent: undefined };
  }

  /**
   * The same with what it says at this moment: how far it is, and what of its window is free.
   *
   * @param {Request} request
   * @param {Receiving | Collecting} sink What takes the reply, and holds what was not read yet.
   * @returns {Request}
   */
  attaching(request, sink) {
    const window = Math.max(0, request.window - sink.renew());
    const flow = { window, isHeld: false, isLazy: false, hasInput: false, isDetached: false };
    const rest = toRest('runs', 'Attach', JSON_TYPE) + flowRest(flow);
    return { ...request, rest, content: encodeJson(this.body) };
  }
}

/**
 * @param {any} raw As the sidecar writes it.
 * @returns {Run}
 */
export function runOf(raw) {
  const { run, to, type, state, frames, first, bytes, readers, code } = raw;
  const listed = { name: run, to, type, state, frames, first, bytes, readers };
  return {
    ...listed,
    isDetached: raw.detached ?? false,
    ageMs: raw.age_ms ?? 0,
    endedMs: state === 'ended' ? raw.ended_ms : undefined,
    code: code ?? '',
    principal: raw.principal ?? '',
  };
}
