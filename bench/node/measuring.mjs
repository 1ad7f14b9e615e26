// What the Node pairs share: arguments, the measured time, and the line of JSON at the end.

import { parseArgs } from 'node:util';

/**
 * @typedef {object} Arguments
 * @property {'host' | 'caller'} role
 * @property {string} url
 * @property {number | undefined} relay the pair to be at the raw relay; without it, a sidecar
 * @property {number} depth calls in flight
 * @property {number} size bytes of a content
 * @property {number} seconds measured
 * @property {number} warmup seconds before them
 * @property {number} parts of each stream; 0: calls, not streams
 */

const options = /** @type {const} */ ({
  url: { type: 'string' },
  relay: { type: 'string' },
  depth: { type: 'string', default: '1' },
  size: { type: 'string', default: '16' },
  seconds: { type: 'string', default: '1' },
  warmup: { type: 'string', default: '0.2' },
  parts: { type: 'string', default: '0' },
});

/** @returns {Arguments} */
export function readArguments() {
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const [role] = positionals;
  if ((role !== 'host' && role !== 'caller') || values.url === undefined) {
    throw new Error('usage: host|caller --url unix:/path [--depth 64] …');
  }
  return {
    role,
    url: values.url,
    relay: values.relay === undefined ? undefined : Number(values.relay),
    depth: Number(values.depth),
    size: Number(values.size),
    seconds: Number(values.seconds),
    warmup: Number(values.warmup),
    parts: Number(values.parts),
  };
}

/** Counts what ends between the end of the warm-up and the end of the time. */
export class Measurement {
  /** @param {Arguments} arguments_ */
  constructor({ warmup, seconds }) {
    this.startMs = performance.now() + warmup * 1000;
    this.stopMs = this.startMs + seconds * 1000;
    this.lastMs = this.startMs;
    /** @type {number[]} */
    this.latenciesMs = [];
    this.parts = 0;
  }

  mayBegin() {
    return performance.now() < this.stopMs;
  }

  part() {
    const nowMs = performance.now();
    if (nowMs < this.startMs || nowMs > this.stopMs) return;
    this.parts += 1;
    this.lastMs = nowMs;
  }

  /** @param {number} beganMs */
  ended(beganMs) {
    const nowMs = performance.now();
    if (nowMs < this.startMs || nowMs > this.stopMs) return;
    this.latenciesMs.push(nowMs - beganMs);
    this.lastMs = nowMs;
  }

  print() {
    const ordered = Float64Array.from(this.latenciesMs).sort();
    const calls = ordered.length;
    const seconds = Math.max((this.lastMs - this.startMs) / 1000, 1e-9);
    /** @param {number} percent */
    const percentileUs = (percent) =>
      calls > 0 ? ordered[Math.round((percent / 100) * (calls - 1))] * 1000 : 0;
    console.log(
      JSON.stringify({
        calls,
        seconds,
        calls_per_s: calls / seconds,
        p50_us: percentileUs(50),
        p90_us: percentileUs(90),
        p99_us: percentileUs(99),
        parts: this.parts,
        parts_per_s: this.parts / seconds,
        errors: 0,
      }),
    );
  }
}

/**
 * Keeps `depth` calls in flight until the time is over.
 *
 * @param {Measurement} measurement
 * @param {number} depth
 * @param {() => Promise<void>} call
 */
export async function workers(measurement, depth, call) {
  const worker = async () => {
    while (measurement.mayBegin()) {
      const beganMs = performance.now();
      await call();
      measurement.ended(beganMs);
    }
  };
  await Promise.all(Array.from({ length: depth }, worker));
}

/**
 * One stream after the other until the time is over; the parts are counted as they come.
 *
 * @param {Measurement} measurement
 * @param {() => Promise<void>} stream
 */
export async function streamsOf(measurement, stream) {
  await workers(measurement, 1, stream);
}
