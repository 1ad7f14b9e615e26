/**
 * Listening to abort signals: however many calls one may cancel, it has one listener of ours,
 * since Node takes more than ten for a leak.
 */

/** @type {WeakMap<AbortSignal, { waiting: Set<() => void>, told: () => void }>} */
const known = new WeakMap();

/**
 * Calls back once when a signal is aborted; what it returns undoes that. Not for one that is
 * aborted already.
 *
 * @param {AbortSignal | undefined} signal
 * @param {() => void} listener
 * @returns {() => void}
 */
export function onAbort(signal, listener) {
  if (signal === undefined) return () => {};
  let entry = known.get(signal);
  if (entry === undefined) {
    const waiting = new Set();
    const told = () => {
      known.delete(signal);
      for (const each of waiting) each();
    };
    entry = { waiting, told };
    known.set(signal, entry);
    signal.addEventListener('abort', told, { once: true });
  }
  const { waiting, told } = entry;
  const own = () => listener(); // The same listener may be there twice.
  waiting.add(own);
  return () => {
    waiting.delete(own);
    if (waiting.size > 0 || known.get(signal)?.waiting !== waiting) return;
    known.delete(signal);
    signal.removeEventListener('abort', told);
  };
}
