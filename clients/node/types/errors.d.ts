/**
 * The error that an `error` frame tells of.
 *
 * @param {import('./header.js').Header} header
 * @returns {AgentError}
 */
export function errorFrom(header: import('./header.js').Header): AgentError;
/**
 * Code, reason, message and details of whatever was thrown, each within its limit.
 *
 * @param {unknown} thrown
 * @returns {{ code: Code, reason: string, message: string, details: Record<string, Detail> }}
 */
export function wireError(thrown: unknown): {
    code: Code;
    reason: string;
    message: string;
    details: Record<string, Detail>;
};
/**
 * The text, or its beginning with an ellipsis if it takes more bytes.
 *
 * @param {string} text
 * @param {number} bytesMax
 * @returns {string}
 */
export function cut(text: string, bytesMax: number): string;
/**
 * The interruption that something was thrown for: itself, or a cause of it.
 *
 * @param {unknown} thrown
 * @returns {Interrupted | undefined}
 */
export function interruptedBy(thrown: unknown): Interrupted | undefined;
/**
 * An integer as headers hold it: 0…2^53-1.
 *
 * @param {unknown} value
 * @returns {value is number}
 */
export function isNatural(value: unknown): value is number;
/**
 * Whether the other side had closed before it read what was written.
 *
 * @param {unknown} cause
 */
export function isBrokenPipe(cause: unknown): boolean;
export namespace ErrorCode {
    const invalidArgument: "invalid_argument";
    const notFound: "not_found";
    const alreadyExists: "already_exists";
    const permissionDenied: "permission_denied";
    const unauthenticated: "unauthenticated";
    const resourceExhausted: "resource_exhausted";
    const failedPrecondition: "failed_precondition";
    const aborted: "aborted";
    const unimplemented: "unimplemented";
    const internal: "internal";
    const unavailable: "unavailable";
    const deadlineExceeded: "deadline_exceeded";
    const cancelled: "cancelled";
}
/** @typedef {typeof ErrorCode[keyof typeof ErrorCode]} Code */
/**
 * A call, a registration or the connection failed.
 *
 * Thrown in an agent, it reaches the caller with the same code, reason, message and details.
 */
export class AgentError extends Error {
    /** @type {Code} */
    static code: Code;
    /**
     * The error of a code; one outside the set reads as `internal`, and is kept in details.
     *
     * @param {string} code
     * @param {string} [message]
     * @param {ErrorOptions} [options]
     * @returns {AgentError}
     */
    static of(code: string, message?: string | undefined, options?: ErrorOptions | undefined): AgentError;
    /**
     * @param {string} [message] For people.
     * @param {ErrorOptions} [options]
     */
    constructor(message?: string | undefined, options?: ErrorOptions | undefined);
    /** @type {Code} One of the fixed set. */
    code: Code;
    /** The finer word, or "". */
    reason: string;
    /** @type {Record<string, Detail>} */
    details: Record<string, Detail>;
    /** No agent has seen the call: it may be made again. */
    retry: boolean;
    /** What was called, where that is known, or "". */
    address: string;
}
/** What was sent is wrong, whatever the state of the world. */
export class InvalidArgumentError extends AgentError {
    static code: "invalid_argument";
}
/** No such agent, session or thing. */
export class NotFoundError extends AgentError {
    static code: "not_found";
}
/** The name is taken. */
export class AlreadyExistsError extends AgentError {
    static code: "already_exists";
}
/** The peer is known and may not do this. */
export class PermissionDeniedError extends AgentError {
    static code: "permission_denied";
}
/** The token is missing or wrong. */
export class UnauthenticatedError extends AgentError {
    static code: "unauthenticated";
}
/** A limit was reached: a full mailbox, too many ids, a window overrun. */
export class ResourceExhaustedError extends AgentError {
    static code: "resource_exhausted";
}
/** The state of the world forbids it: a call cycle, a wrong version. */
export class FailedPreconditionError extends AgentError {
    static code: "failed_precondition";
}
/** An agent gave up because of a conflict. */
export class AbortedError extends AgentError {
    static code: "aborted";
}
/**
 * The call that an agent handles was interrupted: somebody has something better for it to do, and
 * says what in `payload`. It may finish its reply; let through, it ends the call.
 */
export class Interrupted extends AbortedError {
    /**
     * @param {any} payload What came along; undefined: nothing.
     * @param {string} contentType Of that, or "".
     * @param {string} sender The address of the agent that interrupted it, or "".
     */
    constructor(payload: any, contentType: string, sender: string);
    payload: any;
    contentType: string;
    sender: string;
}
/** The agent has no operation for this type, or the sidecar no such op. */
export class UnimplementedError extends AgentError {
    static code: "unimplemented";
}
/** The agent threw an error that chose no code. */
export class InternalError extends AgentError {
    static code: "internal";
}
/** The agent's host, a replica or the sidecar is away. */
export class UnavailableError extends AgentError {
    static code: "unavailable";
}
/** The time given ran out. */
export class DeadlineExceededError extends AgentError {
    static code: "deadline_exceeded";
}
/** The call was cancelled, by its caller or from above. `cause` is the reason of a signal. */
export class CancelledCallError extends AgentError {
    static code: "cancelled";
}
/** A cause of an agent's error, as text: its type's name and its message. */
export class RemoteCause extends Error {
    /**
     * @param {string} text `KeyError: pear`
     * @param {RemoteCause} [cause]
     */
    constructor(text: string, cause?: RemoteCause | undefined);
    /** The name of the error's type in the agent's language. */
    type: string;
    stack: string;
}
/**
 * A flat value; a number is an integer 0…2^53-1.
 */
export type Detail = string | boolean | number;
export type ErrorOptions = {
    /**
     * The finer word below the code.
     */
    reason?: string | undefined;
    /**
     * Flat values, for programs.
     */
    details?: Readonly<Record<string, Detail>> | undefined;
    /**
     * No agent has seen the call.
     */
    retry?: boolean | undefined;
    /**
     * What was called.
     */
    address?: string | undefined;
    cause?: unknown;
};
export type Code = (typeof ErrorCode)[keyof typeof ErrorCode];
