/**
 * Calls back once when a signal is aborted; what it returns undoes that. Not for one that is
 * aborted already.
 *
 * @param {AbortSignal | undefined} signal
 * @param {() => void} listener
 * @returns {() => void}
 */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void;
