/**
 * Its caller left it.
 *
 * @param {string} address What was called.
 * @param {unknown} cause Why.
 */
export function left(address: string, cause: unknown): CancelledCallError;
/**
 * Its time is over.
 *
 * @param {string} address
 */
export function late(address: string): DeadlineExceededError;
/**
 * Its connection is lost.
 *
 * @param {string} address
 * @param {Error} cause
 */
export function connectionLost(address: string, cause: Error): UnavailableError;
/** The call that it serves was lost with another connection. */
export function parentLost(): CancelledCallError;
/** A signal finds nothing that runs: it has ended, or has not been written yet. */
export function notRunning(): FailedPreconditionError;
/**
 * Its replies went elsewhere.
 *
 * @param {string} address
 */
export function spliced(address: string): FailedPreconditionError;
/**
 * It was delegated for another call than the one that passes it on.
 *
 * @param {string} address
 */
export function badSplice(address: string): FailedPreconditionError;
import { CancelledCallError } from "./errors.js";
import { DeadlineExceededError } from "./errors.js";
import { UnavailableError } from "./errors.js";
import { FailedPreconditionError } from "./errors.js";
