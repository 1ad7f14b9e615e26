/**
 * Errors: one class per code, and their way over the wire and back.
 *
 * An error thrown in an agent travels as `error` (code, reason, message, details) and is thrown
 * again at the caller. Causes travel as text in `details`; no stack trace leaves the process.
 */

/** @typedef {string | boolean | number} Detail A flat value; a number is an integer 0…2^53-1. */

/**
 * @typedef {object} ErrorOptions
 * @property {string} [reason] The finer word below the code.
 * @property {Readonly<Record<string, Detail>>} [details] Flat values, for programs.
 * @property {boolean} [retry] No agent has seen the call.
 * @property {string} [address] What was called.
 * @property {unknown} [cause]
 */

const MESSAGE_BYTES_MAX = 4096;
const DETAILS_BYTES_MAX = 4096;
const DETAIL_BYTES_MAX = 2048;
const KEY_BYTES_MAX = 128;
const CAUSES_MAX = 8;

/** The fixed set of codes. */
export const ErrorCode = /** @type {const} */ ({
  invalidArgument: 'invalid_argument',
  notFound: 'not_found',
  alreadyExists: 'already_exists',
  permissionDenied: 'permission_denied',
  unauthenticated: 'unauthenticated',
  resourceExhausted: 'resource_exhausted',
  failedPrecondition: 'failed_precondition',
  aborted: 'aborted',
  unimplemented: 'unimplemented',
  internal: 'internal',
  unavailable: 'unavailable',
  deadlineExceeded: 'deadline_exceeded',
  cancelled: 'cancelled',
});
Object.freeze(ErrorCode);

/** @typedef {typeof ErrorCode[keyof typeof ErrorCode]} Code */

/**
 * A call, a registration or the connection failed.
 *
 * Thrown in an agent, it reaches the caller with the same code, reason, message and details.
 */
export class AgentError extends Error {
  /** @type {Code} */
  static code = ErrorCode.internal;

  /**
   * @param {string} [message] For people.
   * @param {ErrorOptions} [options]
   */
  constructor(message = '', options = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    /** @type {Code} One of the fixed set. */
    this.code = new.target.code;
    /** The finer word, or "". */
    this.reason = options.reason ?? '';
    /** @type {Record<string, Detail>} */
    this.details = { ...options.details };
    /** No agent has seen the call: it may be made again. */
    this.retry = options.retry ?? false;
    /** What was called, where that is known, or "". */
    this.address = options.address ?? '';
  }

  get name() {
    return this.constructor.name;
  }

  set name(name) {
    Object.defineProperty(this, 'name', { value: name, configurable: true, writable: true });
  }

  /**
   * The error of a code; one outside the set reads as `internal`, and is kept in details.
   *
   * @param {string} code
   * @param {string} [message]
   * @param {ErrorOptions} [options]
   * @returns {AgentError}
   */
  static of(code, message = '', options = {}) {
    const Known = classes.get(code);
    if (Known !== undefined) return new Known(message, options);
    return new InternalError(message, { ...options, details: { ...options.details, code } });
  }
}

/** What was sent is wrong, whatever the state of the world. */
export class InvalidArgumentError extends AgentError {
  static code = ErrorCode.invalidArgument;
}

/** No such agent, session or thing. */
export class NotFoundError extends AgentError {
  static code = ErrorCode.notFound;
}

/** The name is taken. */
export class AlreadyExistsError extends AgentError {
  static code = ErrorCode.alreadyExists;
}

/** The peer is known and may not do this. */
export class PermissionDeniedError extends AgentError {
  static code = ErrorCode.permissionDenied;
}

/** The token is missing or wrong. */
export class UnauthenticatedError extends AgentError {
  static code = ErrorCode.unauthenticated;
}

/** A limit was reached: a full mailbox, too many ids, a window overrun. */
export class ResourceExhaustedError extends AgentError {
  static code = ErrorCode.resourceExhausted;
}

/** The state of the world forbids it: a call cycle, a wrong version. */
export class FailedPreconditionError extends AgentError {
  static code = ErrorCode.failedPrecondition;
}

/** An agent gave up because of a conflict. */
export class AbortedError extends AgentError {
  static code = ErrorCode.aborted;
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
  constructor(payload, contentType, sender) {
    super('the call was interrupted', { reason: 'interrupted' });
    this.payload = payload;
    this.contentType = contentType;
    this.sender = sender;
  }
}

/** The agent has no operation for this type, or the sidecar no such op. */
export class UnimplementedError extends AgentError {
  static code = ErrorCode.unimplemented;
}

/** The agent threw an error that chose no code. */
export class InternalError extends AgentError {
  static code = ErrorCode.internal;
}

/** The agent's host, a replica or the sidecar is away. */
export class UnavailableError extends AgentError {
  static code = ErrorCode.unavailable;
}

/** The time given ran out. */
export class DeadlineExceededError extends AgentError {
  static code = ErrorCode.deadlineExceeded;
}

/** The call was cancelled, by its caller or from above. `cause` is the reason of a signal. */
export class CancelledCallError extends AgentError {
  static code = ErrorCode.cancelled;
}

/** A cause of an agent's error, as text: its type's name and its message. */
export class RemoteCause extends Error {
  /**
   * @param {string} text `KeyError: pear`
   * @param {RemoteCause} [cause]
   */
  constructor(text, cause) {
    const colon = text.indexOf(': ');
    super(colon < 0 ? '' : text.slice(colon + 2), cause ? { cause } : undefined);
    /** The name of the error's type in the agent's language. */
    this.type = colon < 0 ? text : text.slice(0, colon);
    this.name = this.type;
    this.stack = text; // Where this object was made says nothing.
  }
}

/** @type {Map<string, new (message?: string, options?: ErrorOptions) => AgentError>} */
const classes = new Map(
  [
    InvalidArgumentError,
    NotFoundError,
    AlreadyExistsError,
    PermissionDeniedError,
    UnauthenticatedError,
    ResourceExhaustedError,
    FailedPreconditionError,
    AbortedError,
    UnimplementedError,
    InternalError,
    UnavailableError,
    DeadlineExceededError,
    CancelledCallError,
  ].map((each) => [each.code, each]),
);

/**
 * The error that an `error` frame tells of.
 *
 * @param {import('./header.js').Header} header
 * @returns {AgentError}
 */
export function errorFrom(header) {
  const { details } = header;
  const causes = details?.causes;
  /** @type {RemoteCause | undefined} */
  let cause;
  if (typeof causes === 'string' && causes !== '') {
    for (const text of causes.split(' <- ').reverse()) cause = new RemoteCause(text, cause);
  }
  const options = { reason: header.reason, details, retry: header.retry, ...(cause && { cause }) };
  // Where a frame was read says nothing of where it went wrong.
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  const error = AgentError.of(header.code || ErrorCode.internal, header.message, options);
  Error.stackTraceLimit = limit;
  return error;
}

/**
 * Code, reason, message and details of whatever was thrown, each within its limit.
 *
 * @param {unknown} thrown
 * @returns {{ code: Code, reason: string, message: string, details: Record<string, Detail> }}
 */
export function wireError(thrown) {
  if (thrown instanceof AgentError) {
    const details = { ...thrown.details };
    if (thrown.address !== '') details.agent ??= thrown.address;
    const causes = 'causes' in details ? '' : causesOf(thrown);
    if (causes !== '') details.causes = causes;
    const message = cut(thrown.message, MESSAGE_BYTES_MAX);
    return { code: thrown.code, reason: thrown.reason, message, details: bounded(details) };
  }
  /** @type {Record<string, Detail>} */
  const details = { type: typeName(thrown) };
  const causes = causesOf(thrown);
  if (causes !== '') details.causes = causes;
  const message = cut(messageOf(thrown) || typeName(thrown), MESSAGE_BYTES_MAX);
  return {
    code: ErrorCode.internal,
    reason: 'agent_error',
    message,
    details: bounded(details),
  };
}

/**
 * The text, or its beginning with an ellipsis if it takes more bytes.
 *
 * @param {string} text
 * @param {number} bytesMax
 * @returns {string}
 */
export function cut(text, bytesMax) {
  const raw = Buffer.from(text, 'utf8');
  if (raw.length <= bytesMax) return raw.toString('utf8'); // No lone surrogates any more.
  let stop = bytesMax - 3;
  while (stop > 0 && (raw[stop] & 0xc0) === 0x80) stop -= 1;
  return `${raw.toString('utf8', 0, stop)}…`;
}

/**
 * The interruption that something was thrown for: itself, or a cause of it.
 *
 * @param {unknown} thrown
 * @returns {Interrupted | undefined}
 */
export function interruptedBy(thrown) {
  for (let each = thrown, depth = 0; depth < CAUSES_MAX; each = causeOf(each), depth += 1) {
    if (each instanceof Interrupted) return each;
  }
  return undefined;
}

/** @param {unknown} thrown */
function typeName(thrown) {
  if (thrown instanceof Error) return thrown.name || thrown.constructor.name;
  if (thrown === null) return 'null';
  return typeof thrown === 'object' ? thrown.constructor?.name ?? 'object' : typeof thrown;
}

/** @param {unknown} thrown */
function messageOf(thrown) {
  if (thrown instanceof Error) return String(thrown.message);
  try {
    return String(thrown);
  } catch {
    return ''; // An object that cannot be shown.
  }
}

/** @param {unknown} thrown */
function causesOf(thrown) {
  const texts = [];
  const seen = new Set([thrown]);
  let cause = causeOf(thrown);
  while (cause !== undefined && !seen.has(cause) && texts.length < CAUSES_MAX) {
    seen.add(cause);
    const name = typeName(cause);
    const message = messageOf(cause);
    texts.push(message ? `${name}: ${message}` : name);
    cause = causeOf(cause);
  }
  return cut(texts.join(' <- '), DETAIL_BYTES_MAX);
}

/** @param {unknown} thrown */
function causeOf(thrown) {
  return thrown instanceof Error ? /** @type {{ cause?: unknown }} */ (thrown).cause : undefined;
}

/**
 * Only what a header may hold: strings, booleans, integers 0…2^53-1, within the limit.
 *
 * @param {Record<string, unknown>} details
 */
function bounded(details) {
  /** @type {Array<[string, Detail]>} */
  const kept = [];
  let left = DETAILS_BYTES_MAX;
  for (const [key, value] of Object.entries(details)) {
    const name = cut(key, KEY_BYTES_MAX);
    if (name === '' || /[\u0000-\u001f\u007f-\u009f"\\]/.test(name)) continue;
    /** @type {Detail} */
    let plain;
    if (typeof value === 'boolean' || isNatural(value)) plain = value;
    else plain = cut(typeof value === 'string' ? value : messageOf(value), DETAIL_BYTES_MAX);
    left -= Buffer.byteLength(name) + 6;
    left -= typeof plain === 'string' ? Buffer.byteLength(plain) : 16;
    if (left < 0 || kept.length === 64) break;
    kept.push([name, plain]);
  }
  return Object.fromEntries(kept);
}

/**
 * An integer as headers hold it: 0…2^53-1.
 *
 * @param {unknown} value
 * @returns {value is number}
 */
export function isNatural(value) {
  return Number.isSafeInteger(value) && /** @type {number} */ (value) >= 0 && !Object.is(value, -0);
}

/**
 * Whether the other side had closed before it read what was written.
 *
 * @param {unknown} cause
 */
export function isBrokenPipe(cause) {
  const { code } = /** @type {{ code?: string }} */ (cause ?? {});
  return code === 'EPIPE' || code === 'ECONNRESET';
}
