/**
 * Between the API's camel case and the wire's snake case: the only file that knows both.
 *
 * A header that arrived becomes a `Header`; what is sent is spelled here, behind the id.
 */

import { quotedAddress } from './address.js';
import { JSON_TYPE } from './content.js';
import { InvalidArgumentError, isNatural } from './errors.js';
import { flatObject, quoted } from './quoting.js';

/** @typedef {import('./errors.js').Detail} Detail */
/** @typedef {Readonly<Record<string, Detail>>} Ext */

export const WINDOW_DEFAULT = 1024 * 1024;
const WINDOW_MAX = 2 ** 31 - 1;
const TIMEOUT_MS_MAX = 1e12;
const CACHED_MAX = 4096;

/** What the header of a frame says. Shared between frames: never changed. */
export class Header {
  /** @param {Record<string, any>} raw A header whose known fields are of their kind. */
  constructor(raw) {
    /** @type {string} */ this.type = raw.type ?? '';
    /** @type {string} */ this.contentType = raw.content_type ?? '';
    /** @type {Ext | undefined} */ this.ext = raw.ext;
    /** @type {boolean} */ this.end = raw.end ?? false;
    /** @type {boolean} */ this.part = raw.part ?? false;
    /** @type {string} */ this.to = raw.to ?? '';
    /** @type {string} */ this.from = raw.from ?? '';
    /** @type {string} */ this.trace = raw.trace ?? '';
    /** @type {string} */ this.topic = raw.topic ?? '';
    /** @type {string} */ this.source = raw.source ?? '';
    /** @type {string} */ this.name = raw.name ?? '';
    /** @type {number} */ this.call = raw.call ?? 0;
    /** @type {number} */ this.dropped = raw.dropped ?? 0;
    /** @type {number} */ this.timeoutMs = raw.timeout_ms ?? 0;
    /** @type {number} */ this.window = raw.window ?? WINDOW_DEFAULT;
    /** @type {boolean} */ this.input = raw.input ?? false;
    /** @type {boolean} */ this.isNew = raw.new ?? false;
    /** @type {boolean} */ this.oneway = raw.oneway ?? false;
    /** @type {boolean} */ this.observe = raw.observe ?? false;
    /** @type {number} */ this.bytes = raw.bytes ?? 0;
    /** @type {string} */ this.code = raw.code ?? '';
    /** @type {string} */ this.reason = raw.reason ?? '';
    /** @type {string} */ this.message = raw.message ?? '';
    /** @type {Record<string, Detail> | undefined} */ this.details = raw.details;
    /** @type {boolean} */ this.more = raw.more ?? false;
    /** @type {boolean} */ this.retry = raw.retry ?? false;
    /** @type {string} */ this.server = raw.server ?? '';
    /** @type {string} */ this.connection = raw.connection ?? '';
    /** @type {string} */ this.features = raw.features ?? '';
    /** @type {number} */ this.maxContent = raw.max_content ?? 0;
    /** @type {number} */ this.heartbeatMs = raw.heartbeat_ms ?? 0;
  }
}

/** The header of a frame that says nothing. */
export const NO_HEADER = new Header({});

/**
 * @typedef {object} CallWords
 * @property {string} [type]
 * @property {string} [contentType]
 * @property {Ext} [ext]
 * @property {string} [trace] A W3C `traceparent`, passed on to all that is called in turn.
 * @property {string} [sender] The address of an agent registered by this client: who calls.
 */

/**
 * @param {string} name
 * @param {string} token
 * @param {string} client
 */
export function helloHeader(name, token, client) {
  let header = `{"op":"hello","v":1,"client":${quoted(client)}`;
  if (name !== '') header += `,"name":${quoted(name)}`;
  if (token !== '') header += `,"token":${quoted(token)}`;
  return `${header},"features":"signals"}`;
}

/** @type {Map<string, string>} */
const toKnown = new Map();

/**
 * What a call or send says first: where to, and what its message is.
 *
 * @param {string} to
 * @param {string} type
 * @param {string} contentType
 */
export function toRest(to, type, contentType) {
  const key = type === '' ? `${contentType}\n${to}` : `${contentType}\n${to}\n${type}`;
  const known = toKnown.get(key);
  if (known !== undefined) return known;
  let rest = `,"to":${quotedAddress(to)}`;
  if (type !== '') rest += `,"type":${quoted(type)}`;
  if (contentType !== JSON_TYPE) rest += `,"content_type":${quoted(contentType)}`;
  if (toKnown.size >= CACHED_MAX) toKnown.clear();
  toKnown.set(key, rest);
  return rest;
}

/**
 * What a publish says first: where to, and what its message is.
 *
 * @param {string} topic
 * @param {string} source
 * @param {string} type
 * @param {string} contentType
 */
export function publishRest(topic, source, type, contentType) {
  let rest = `,"topic":${quoted(topic)},"source":${quoted(source)}`;
  if (type !== '') rest += `,"type":${quoted(type)}`;
  if (contentType !== JSON_TYPE) rest += `,"content_type":${quoted(contentType)}`;
  return rest;
}

/**
 * @param {string} topic
 * @param {number} [window]
 * @param {string} [agent] Whom it feeds.
 */
export function subscribeRest(topic, window = WINDOW_DEFAULT, agent) {
  let rest = `,"topic":${quoted(topic)}`;
  if (agent !== undefined) rest += `,"agent":${quoted(agent)}`;
  if (window !== WINDOW_DEFAULT) rest += `,"window":${window}`;
  return `${rest}}`;
}

/**
 * What a signal says first: whom it concerns unless that is a call, and what it is.
 *
 * @param {{ to?: string, run?: string }} whom
 * @param {string} name
 * @param {string} contentType
 */
export function signalRest({ to, run }, name, contentType) {
  let rest = `,"name":${quoted(name)}`;
  if (to !== undefined) rest += `,"to":${quotedAddress(to)}`;
  if (run !== undefined) rest += `,"run":${quoted(run)}`;
  if (contentType !== JSON_TYPE) rest += `,"content_type":${quoted(contentType)}`;
  return rest;
}

/**
 * What a call, send or publish says besides. `trace` and `ext` of the call that it serves go on.
 *
 * @param {CallWords} options
 * @param {Ext | undefined} messageExt
 * @param {{ trace: string, ext?: Ext } | undefined} served
 */
export function wordsRest(options, messageExt, served) {
  const trace = options.trace || served?.trace;
  const ext = { ...served?.ext, ...options.ext, ...messageExt };
  let rest = senderRest(options.sender);
  if (trace) rest += `,"trace":${quoted(trace)}`;
  if (Object.keys(ext).length > 0) rest += `,"ext":${flatObject(ext, 'ext')}`;
  return rest;
}

/** @param {string | undefined} sender */
export function senderRest(sender) {
  return sender ? `,"from":${quotedAddress(sender)}` : '';
}

/**
 * The window that was asked for, within what there is.
 *
 * @param {number | undefined} window
 */
export function windowOf(window) {
  if (window === undefined) return WINDOW_DEFAULT;
  if (Number.isNaN(window)) throw new RangeError('window is a number of bytes');
  return Math.min(Math.max(1, Math.floor(window)), WINDOW_MAX);
}

/**
 * A time in whole milliseconds, or 0 for one without end.
 *
 * @param {number | undefined | null} timeoutMs
 */
export function timeoutOf(timeoutMs) {
  if (timeoutMs === undefined || timeoutMs === null || timeoutMs >= TIMEOUT_MS_MAX) return 0;
  if (Number.isNaN(timeoutMs)) throw new RangeError('timeoutMs is a number of milliseconds');
  return Math.max(1, Math.round(timeoutMs));
}

/**
 * How the replies of a call are to come.
 *
 * @typedef {object} Flow
 * @property {number} window
 * @property {boolean} isHeld Nothing comes until the first credit.
 * @property {boolean} isLazy
 * @property {boolean} hasInput
 * @property {boolean} isDetached
 */

/** @param {Flow} call */
export function flowRest({ window, isHeld, isLazy, hasInput, isDetached }) {
  let rest = '';
  if (isHeld) rest += isLazy ? ',"window":0,"lazy":true' : ',"window":0';
  else if (window !== WINDOW_DEFAULT) rest += `,"window":${window}`;
  if (hasInput) rest += ',"input":true';
  if (isDetached) rest += ',"detach":true';
  return rest;
}

/** @type {Map<string, string>} */
const firstKnown = new Map();

/**
 * What follows the id in the header of a message's first frame.
 *
 * @param {string} type
 * @param {string} contentType
 * @param {Ext | undefined} ext
 * @param {boolean} part
 * @param {boolean} end
 * @returns {string}
 */
export function firstRest(type, contentType, ext, part, end) {
  if (ext !== undefined && Object.keys(ext).length > 0) {
    return `,"ext":${flatObject(ext, 'ext')}${firstRest(type, contentType, undefined, part, end)}`;
  }
  if (type === '' && contentType === JSON_TYPE) return laterRest(part, end);
  const key = `${part ? 'p' : ''}${end ? 'e' : ''}\n${contentType}\n${type}`;
  const known = firstKnown.get(key);
  if (known !== undefined) return known;
  let rest = type === '' ? '' : `,"type":${quoted(type)}`;
  if (contentType !== JSON_TYPE) rest += `,"content_type":${quoted(contentType)}`;
  rest += laterRest(part, end);
  if (firstKnown.size >= CACHED_MAX) firstKnown.clear();
  firstKnown.set(key, rest);
  return rest;
}

/**
 * What follows the id in the headers of a message's further frames.
 *
 * @param {boolean} part
 * @param {boolean} end
 */
export function laterRest(part, end) {
  if (part) return ',"part":true}';
  return end ? ',"end":true}' : '}';
}

/**
 * @typedef {object} RegisterWords
 * @property {string} [description] What discovery shows.
 * @property {string} [version]
 * @property {Readonly<Record<string, string>>} [labels]
 * @property {number} [concurrency] How many calls may be open here at a time (1,000).
 * @property {number} [sessionConcurrency] How many of them in one session (1).
 * @property {number} [idleMs] How long a session may be idle until it is closed (300,000; 0: for
 *   ever).
 * @property {boolean} [exclusive] Nobody else may register this name.
 */

/**
 * @param {string} name
 * @param {RegisterWords} options
 */
export function registerRest(name, options) {
  let rest = `,"name":${quoted(name)}`;
  if (options.description) rest += `,"description":${quoted(options.description)}`;
  if (options.version) rest += `,"version":${quoted(options.version)}`;
  const { labels } = options;
  if (labels !== undefined && Object.keys(labels).length > 0) {
    if (!Object.values(labels).every((each) => typeof each === 'string')) {
      throw new InvalidArgumentError('labels are strings', { reason: 'bad_field' });
    }
    rest += `,"labels":${flatObject(labels, 'labels')}`;
  }
  rest += numberRest('concurrency', options.concurrency);
  rest += numberRest('session_concurrency', options.sessionConcurrency);
  rest += numberRest('idle_ms', options.idleMs);
  if (options.exclusive) rest += ',"exclusive":true';
  return `${rest}}`;
}

/**
 * @param {string} field
 * @param {number | undefined} value
 */
function numberRest(field, value) {
  if (value === undefined) return '';
  const whole = Math.round(value);
  if (!isNatural(whole)) {
    throw new InvalidArgumentError(`${field} is a number from 0 up: ${value}`, {
      reason: 'bad_field',
      details: { field },
    });
  }
  return `,"${field}":${whole}`;
}

/**
 * @typedef {object} Query
 * @property {boolean} [recursive] All below the namespace, not only one segment below.
 * @property {boolean} [inclusive] The namespace itself too.
 * @property {boolean} [detailed] Version, labels, operations and number of replicas too.
 * @property {Readonly<Record<string, string>>} [labels] All of them must match.
 */

/**
 * The body of a DiscoveryQuery or DiscoveryWatch.
 *
 * @param {string} namespace
 * @param {Query} options
 * @param {number} [fromRevision]
 */
export function queryBody(namespace, options, fromRevision) {
  return {
    namespace,
    recursive: options.recursive ?? false,
    inclusive: options.inclusive ?? false,
    detailed: options.detailed ?? false,
    labels: options.labels ?? {},
    ...(fromRevision !== undefined && { from_revision: fromRevision }),
  };
}
