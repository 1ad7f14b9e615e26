/** The errors with which a call ends here, without a word of the sidecar. */

import {
  CancelledCallError,
  DeadlineExceededError,
  FailedPreconditionError,
  UnavailableError,
} from './errors.js';

/**
 * Its caller left it.
 *
 * @param {string} address What was called.
 * @param {unknown} cause Why.
 */
export function left(address, cause) {
  return new CancelledCallError('the caller left the call', {
    reason: 'cancelled',
    address,
    ...(cause !== undefined && { cause }),
  });
}

/**
 * Its time is over.
 *
 * @param {string} address
 */
export function late(address) {
  return new DeadlineExceededError('no answer in time', { reason: 'deadline', address });
}

/**
 * Its connection is lost.
 *
 * @param {string} address
 * @param {Error} cause
 */
export function connectionLost(address, cause) {
  return new UnavailableError(cause.message, { reason: 'connection_lost', address, cause });
}

/** The call that it serves was lost with another connection. */
export function parentLost() {
  return new CancelledCallError('the call this serves was lost with its connection', {
    reason: 'parent_ended',
  });
}

/** A signal finds nothing that runs: it has ended, or has not been written yet. */
export function notRunning() {
  return new FailedPreconditionError('the call is not running', { reason: 'not_running' });
}

/**
 * Its replies went elsewhere.
 *
 * @param {string} address
 */
export function spliced(address) {
  return new FailedPreconditionError('the call was spliced', { reason: 'call_spliced', address });
}

/**
 * It was delegated for another call than the one that passes it on.
 *
 * @param {string} address
 */
export function badSplice(address) {
  return new FailedPreconditionError('the call was delegated for another one', {
    reason: 'bad_splice',
    address,
  });
}
