/**
 * Pings and what they are for: a silent sidecar is asked for a sign of life and given up in the
 * end, and who has to know that the sidecar has read what was written so far can wait for it.
 */

const HEARTBEATS_MISSED_MAX = 3;
/** A round trip is not waited for any longer. */
const ROUND_TRIP_MS = 1000;

/** The pings of one connection. */
export class Pings {
  #write;
  #heardAt = performance.now();
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  /** @type {(() => void)[]} What the pongs to come are waited for by, in their order. */
  #awaited = [];

  /** @param {() => void} write Writes a `ping`. */
  constructor(write) {
    this.#write = write;
  }

  /** A byte came. */
  heard() {
    this.#heardAt = performance.now();
  }

  /** A `pong` came. */
  answered() {
    this.#awaited.shift()?.();
  }

  /**
   * Begins to look for silence.
   *
   * @param {number} heartbeatMs After so long a silence, and again and again, it pings.
   * @param {(message: string) => void} givenUp Called once, after the third.
   */
  start(heartbeatMs, givenUp) {
    this.#beat(heartbeatMs, heartbeatMs, givenUp);
  }

  /** The connection has ended. */
  stop() {
    clearTimeout(this.#timer);
    for (const resolve of this.#awaited.splice(0)) resolve();
  }

  /**
   * Resolves when the sidecar has read all that was written so far, or the connection has ended;
   * a second later at the latest.
   *
   * @returns {Promise<void>}
   */
  roundTrip() {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ROUND_TRIP_MS);
      this.#awaited.push(() => {
        clearTimeout(timer);
        resolve();
      });
      this.#write();
    });
  }

  /**
   * @param {number} heartbeatMs
   * @param {number} waitMs
   * @param {(message: string) => void} givenUp
   */
  #beat(heartbeatMs, waitMs, givenUp) {
    this.#timer = setTimeout(() => {
      const silentMs = performance.now() - this.#heardAt;
      if (silentMs >= HEARTBEATS_MISSED_MAX * heartbeatMs) {
        givenUp(`the sidecar was silent for ${Math.round(silentMs)} ms`);
        return;
      }
      const isSilent = silentMs >= heartbeatMs;
      if (isSilent) {
        this.#awaited.push(() => {});
        this.#write();
      }
      this.#beat(heartbeatMs, isSilent ? heartbeatMs : heartbeatMs - silentMs, givenUp);
    }, waitMs);
  }
}
