/** What a call says: made of what its caller gave and of the call that it serves. */

import { Encoded, JSON_TYPE, encode, sizeOf } from './content.js';
import { Context, currentContext } from './context.js';
import { CancelledCallError, InvalidArgumentError } from './errors.js';
import { flowRest, timeoutOf, toRest, windowOf, wordsRest } from './header.js';
import { quoted } from './quoting.js';
import { CONTENT_BYTES_MAX } from './wire.js';

/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./header.js').CallWords} CallWords */
/** @typedef {import('./hosted-call.js').HostedCall} HostedCall */
/** @typedef {import('./options.js').StreamOptions} StreamOptions */
/** @typedef {import('./verbs.js').Verbs} Verbs */

/** @type {StreamOptions} Shared by all calls without options. */
export const NOTHING = Object.freeze({});
const UNARY = Object.freeze({});

/**
 * What a call says, ready to be written, and again if it is repeated.
 *
 * @typedef {object} Request
 * @property {string} address
 * @property {string} rest The header behind the id, without its closing brace, parent and time.
 * @property {string | Uint8Array} content
 * @property {Encoded | undefined} first The first message where it is too large for the call's own
 *   frame.
 * @property {number} deadline In `performance.now()`, or 0.
 * @property {boolean} isOpen The caller sends messages of its own behind the first.
 * @property {boolean} isHeld Nothing comes until the first credit: its window is 0 until then.
 * @property {boolean} isDelegated It was made to be spliced.
 * @property {boolean} isDetached
 * @property {string | undefined} run
 * @property {number} window
 * @property {HostedCall | undefined} parent
 */

/**
 * @param {Verbs} client
 * @param {string} to
 * @param {unknown} body
 * @param {StreamOptions} options
 * @param {{ isOpen?: boolean, isDelegated?: boolean }} [kind]
 * @returns {Request}
 */
export function requestOf(client, to, body, options, kind = UNARY) {
  const { isOpen = false, isDelegated = false } = kind;
  const message = messageFor(body, options);
  const context = contextFor(options.parent);
  let rest = toRest(to, message.type, message.contentType);
  if (options !== NOTHING || context !== undefined || message.ext !== undefined) {
    rest += wordsRest(options, message.ext, context);
  }
  const isLarge = !fits(client, message);
  const window = windowOf(options.window);
  const { lazy: isLazy = false, detach: isDetached = false, run } = options;
  const isHeld = isLazy || isDelegated;
  rest += flowRest({ window, isHeld, isLazy, hasInput: isOpen || isLarge, isDetached });
  if (run !== undefined) rest += `,"run":${quoted(run)}`;
  const wholeMs = timeoutOf(options.timeoutMs);
  return {
    address: to,
    rest,
    content: isLarge ? '' : message.content,
    first: isLarge ? message : undefined,
    deadline: wholeMs === 0 ? 0 : performance.now() + wholeMs,
    isOpen,
    isHeld,
    isDelegated,
    isDetached,
    run,
    window,
    parent: parentFor(client, context, options.parent),
  };
}

/**
 * @param {unknown} body
 * @param {CallWords} options
 */
export function messageFor(body, options) {
  const message = body === undefined ? new Encoded('', JSON_TYPE) : encode(body);
  if (options.type !== undefined) message.type = options.type;
  if (options.contentType !== undefined) message.contentType = options.contentType;
  return message;
}

/**
 * The call that one serves unless its caller said something else.
 *
 * @param {Context | null | undefined} parent
 */
export function contextFor(parent) {
  return parent === undefined ? currentContext() : parent ?? undefined;
}

/**
 * The call that a new one serves. A context that is only inherited, of a call that has ended or
 * that another client handles, is none.
 *
 * @param {Verbs} client
 * @param {Context | undefined} context
 * @param {Context | null | undefined} given
 * @returns {HostedCall | undefined}
 */
export function parentFor(client, context, given) {
  if (context === undefined) return undefined;
  const call = Context.callOf(context);
  if (call.isEnded && given !== undefined) {
    throw new CancelledCallError('the call this serves has ended', { reason: 'parent_ended' });
  }
  const isOurs = /** @type {Verbs} */ (call.client) === client;
  return call.isEnded || !isOurs ? undefined : call;
}

/**
 * @param {{ connection: Connection | undefined }} client
 * @param {Encoded} message
 */
function fits(client, { content }) {
  const bytesMax = client.connection?.contentBytesMax ?? CONTENT_BYTES_MAX;
  // A character takes three bytes at most.
  return content.length * 3 <= bytesMax || sizeOf(content) <= bytesMax;
}

/**
 * Throws InvalidArgumentError for a message that no one frame holds.
 *
 * @param {{ connection: Connection | undefined }} client
 * @param {Encoded} message
 */
export function checkFits(client, message) {
  if (fits(client, message)) return;
  throw new InvalidArgumentError(
    `content of ${sizeOf(message.content)} bytes is more than the sidecar takes`,
    { reason: 'too_large' },
  );
}
