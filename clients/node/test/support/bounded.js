/** Waiting with a bound: a test that waits for what does not come says for what. */

import assert from 'node:assert/strict';

const BOUND_MS = 10_000;

/** As the promise, or fails after a while. */
export async function bounded(promise, what = 'it') {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come in time`)), BOUND_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The error that a promise is rejected with, of this class (and, where given, this reason). */
export async function failure(promise, Class, reason) {
  let error;
  try {
    const value = await bounded(promise);
    assert.fail(`it gave ${JSON.stringify(value)} and should have failed`);
  } catch (thrown) {
    error = thrown;
  }
  if (!(error instanceof Class)) throw error;
  if (reason !== undefined) assert.equal(error.reason, reason, error.message);
  return error;
}

/** Everything that an async iterable gives. */
export async function all(iterable) {
  const values = [];
  for await (const each of iterable) values.push(each);
  return values;
}

/** A promise, and what settles it. */
export function deferred() {
  let resolve;
  let reject;
  const promise = new Promise((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** Resolves when all that is ready to run has run. */
export function settled() {
  return new Promise((resolve) => {
    setImmediate(() => setImmediate(resolve));
  });
}

/** Numbers that look random and are the same in every run. */
export function randomFrom(seed) {
  let state = seed >>> 0 || 1;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Resolves when a condition that events bring about is true, looking again in every turn. */
export async function until(condition, what = 'it') {
  const late = performance.now() + BOUND_MS;
  while (!condition()) {
    assert.ok(performance.now() < late, `${what} did not come in time`);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
