/**
 * Content: values to bytes with a content type, and back.
 *
 * A string travels as `text/plain`, bytes as `application/octet-stream`, all else as JSON.
 */

import { isUtf8 } from 'node:buffer';

import { InvalidArgumentError } from './errors.js';
import { isWellFormed } from './quoting.js';

/** @typedef {import('./errors.js').AgentError} AgentError */
/** @typedef {import('./errors.js').Detail} Detail */

/**
 * Content that is kept: bytes, or where they are few a string with a character for each of them,
 * which takes no more memory than they do and is made faster than a Buffer.
 *
 * @typedef {string | Buffer} Kept
 */

export const JSON_TYPE = 'application/json';
export const TEXT_TYPE = 'text/plain';
export const BYTES_TYPE = 'application/octet-stream';

const KEPT_AS_STRING_MAX = 4096;
/** @type {Readonly<Record<string, Detail>>} */
const NO_EXT = Object.freeze({});

/**
 * @typedef {object} MessageOptions
 * @property {string} [type] The name of its kind, such as `ChatMessage`.
 * @property {string} [contentType] In place of the usual one of the value.
 * @property {Readonly<Record<string, Detail>>} [ext] For whoever handles it at the other end.
 */

/** One message of a call or a reply: its content and what the header says of it. */
export class Message {
  /** @type {Kept} */
  #kept;

  /**
   * A message of these bytes; of a value: `Message.of`.
   *
   * @param {Uint8Array | string} content Bytes; a string has a character for each of them.
   * @param {MessageOptions & { error?: AgentError }} [options]
   */
  constructor(content, options = {}) {
    this.#kept = typeof content === 'string' ? content : asBuffer(content);
    /** JSON if nothing else was said. */
    this.contentType = options.contentType || JSON_TYPE;
    /** The name of its kind, or "". */
    this.type = options.type ?? '';
    /** What the other end said besides. */
    this.ext = options.ext ?? NO_EXT;
    /**
     * Set, and the content empty, for an error at a position of a stream that went on behind it.
     *
     * @type {AgentError | undefined}
     */
    this.error = options.error;
  }

  /**
   * The message that carries this value, as a verb or an agent would make it.
   *
   * @param {unknown} value
   * @param {MessageOptions} [options]
   * @returns {Message}
   */
  static of(value, options = {}) {
    const { content, contentType, type, ext } = encode(value);
    const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
    return new Message(bytes, {
      contentType: options.contentType ?? contentType,
      type: options.type ?? type,
      ext: options.ext ?? ext,
    });
  }

  /**
   * Yielded by an agent: an error at this position of a stream that goes on.
   *
   * @param {AgentError} error
   * @returns {Message}
   */
  static failed(error) {
    return new Message('', { error });
  }

  /** The bytes. */
  get content() {
    if (typeof this.#kept === 'string') this.#kept = Buffer.from(this.#kept, 'latin1');
    return this.#kept;
  }

  /** JSON as its value, text as a string, anything else as a Buffer. Throws `error`. */
  get value() {
    if (this.error !== undefined) throw this.error;
    return decodeKept(this.#kept, this.contentType);
  }
}

/** Yielded by an agent: a piece of a message that goes on, such as a token of a text. The message
 * ends with the next value that is no Part, or with the reply. */
export class Part {
  /**
   * @param {string | Uint8Array} content
   * @param {{ type?: string }} [options] The message's type, said with its first piece.
   */
  constructor(content, options = {}) {
    this.content = content;
    this.type = options.type ?? '';
  }
}

/** A value ready to be sent. A string is text that is still to be written as UTF-8. */
export class Encoded {
  /**
   * @param {string | Uint8Array} content
   * @param {string} contentType
   * @param {string} [type]
   * @param {Readonly<Record<string, Detail>>} [ext]
   */
  constructor(content, contentType, type = '', ext = undefined) {
    this.content = content;
    this.contentType = contentType;
    this.type = type;
    this.ext = ext;
  }
}

/**
 * What is sent of a value; throws InvalidArgumentError if it cannot be. `undefined` is no content.
 *
 * @param {unknown} value
 * @returns {Encoded}
 */
export function encode(value) {
  if (typeof value === 'string') {
    if (!isWellFormed(value)) throw badContent('the text holds a lone surrogate');
    return new Encoded(value, TEXT_TYPE);
  }
  if (typeof value === 'object' && value !== null) {
    if (value instanceof Message) {
      return new Encoded(value.content, value.contentType, value.type, value.ext);
    }
    if (value instanceof Uint8Array) return new Encoded(value, BYTES_TYPE);
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
      return new Encoded(asBuffer(value), BYTES_TYPE);
    }
  }
  if (value === undefined) return new Encoded('', JSON_TYPE);
  return new Encoded(encodeJson(value), JSON_TYPE);
}

/**
 * JSON text of a value.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function encodeJson(value) {
  let text;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw badContent(`a value cannot be sent as JSON: ${reasonOf(error)}`, error);
  }
  if (text === undefined) throw badContent(`a ${typeof value} cannot be sent as JSON`);
  return text;
}

/**
 * How many bytes content takes.
 *
 * @param {string | Uint8Array} content
 * @returns {number}
 */
export function sizeOf(content) {
  return typeof content === 'string' ? Buffer.byteLength(content) : content.byteLength;
}

/**
 * The value of content that stands from `start` to `end` in bytes that will be overwritten; throws
 * InvalidArgumentError if it is not what it claims to be.
 *
 * @param {Buffer} bytes
 * @param {number} start
 * @param {number} end
 * @param {string} contentType "" is JSON.
 * @returns {any}
 */
export function decode(bytes, start, end, contentType) {
  if (contentType === '' || contentType === JSON_TYPE || isJson(contentType)) {
    if (start === end) return null;
    return parsed(textOf(bytes, start, end, JSON_TYPE), end - start);
  }
  if (contentType.startsWith('text/')) return textOf(bytes, start, end, contentType);
  return Buffer.from(bytes.subarray(start, end));
}

/**
 * As `decode`, of content that is kept.
 *
 * @param {Kept} kept
 * @param {string} contentType
 * @returns {any}
 */
export function decodeKept(kept, contentType) {
  if (typeof kept !== 'string') {
    if (!isStructured(contentType)) return kept;
    return decode(kept, 0, kept.length, contentType);
  }
  // Characters of one byte below 128 are the text itself.
  if (isAscii(kept) && isStructured(contentType)) {
    if (contentType.startsWith('text/')) return kept;
    return kept === '' ? null : parsed(kept, kept.length);
  }
  const bytes = Buffer.from(kept, 'latin1');
  return isStructured(contentType) ? decode(bytes, 0, bytes.length, contentType) : bytes;
}

/**
 * A copy of bytes that will be overwritten.
 *
 * @param {Buffer} bytes
 * @param {number} start
 * @param {number} end
 * @returns {Kept}
 */
export function keep(bytes, start, end) {
  if (start === end) return '';
  if (end - start <= KEPT_AS_STRING_MAX) return bytes.toString('latin1', start, end);
  const copy = Buffer.allocUnsafeSlow(end - start);
  bytes.copy(copy, 0, start, end);
  return copy;
}

/**
 * Several pieces as one.
 *
 * @param {Kept[]} pieces
 * @returns {Kept}
 */
export function joinKept(pieces) {
  if (pieces.length === 1) return pieces[0];
  if (pieces.every((each) => typeof each === 'string')) return pieces.join('');
  return Buffer.concat(
    pieces.map((each) => (typeof each === 'string' ? Buffer.from(each, 'latin1') : each)),
  );
}

/**
 * What one value is made of: all texts (or bytes) joined, a list of all, or the last.
 *
 * @typedef {'join' | 'list' | 'last'} Collect
 */

/**
 * What one who asked for one value gets; throws InvalidArgumentError for what does not join. Unless
 * they said what: null of none, the one, several texts joined, else the list.
 *
 * @param {any[]} values
 * @param {Collect} [collect]
 * @returns {any}
 */
export function collected(values, collect) {
  if (collect === 'list') return values;
  if (collect === 'last') return values.at(-1) ?? null;
  if (collect === 'join') {
    if (values.every((each) => typeof each === 'string')) return values.join('');
    if (values.every((each) => Buffer.isBuffer(each))) return Buffer.concat(values);
    throw badContent('what was answered is not all text, or all bytes: it does not join');
  }
  if (collect !== undefined) throw new RangeError(`collect is join, list or last: ${collect}`);
  if (values.length === 1) return values[0];
  if (values.length === 0) return null;
  return values.every((each) => typeof each === 'string') ? values.join('') : values;
}

/** @param {string} contentType */
export function isText(contentType) {
  return contentType.startsWith('text/');
}

/** @param {string} contentType */
function isJson(contentType) {
  const semicolon = contentType.indexOf(';');
  const media = semicolon < 0 ? contentType : contentType.slice(0, semicolon).trimEnd();
  return media.endsWith('/json') || media.endsWith('+json');
}

/** @param {string} contentType */
function isStructured(contentType) {
  return (
    contentType === '' ||
    contentType === JSON_TYPE ||
    contentType.startsWith('text/') ||
    isJson(contentType)
  );
}

/**
 * Whether every byte, or character, is below 128.
 *
 * @param {string} text
 */
export function isAscii(text) {
  return !/[^\u0000-\u007f]/.test(text);
}

/**
 * @param {Buffer} bytes
 * @param {number} start
 * @param {number} end
 * @param {string} contentType
 */
function textOf(bytes, start, end, contentType) {
  const text = bytes.toString('utf8', start, end);
  // What is no UTF-8 reads as U+FFFD, which may also stand there rightly.
  if (text.includes('\ufffd') && !isUtf8(bytes.subarray(start, end))) {
    throw badContent(`content of ${end - start} bytes is not valid ${contentType}: no UTF-8`);
  }
  return text;
}

/**
 * @param {string} text
 * @param {number} size
 */
function parsed(text, size) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badContent(
      `content of ${size} bytes is not valid ${JSON_TYPE}: ${reasonOf(error)}`,
      error,
    );
  }
}

/** @param {Uint8Array | ArrayBuffer | ArrayBufferView} value */
function asBuffer(value) {
  if (Buffer.isBuffer(value)) return value;
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/** @param {unknown} error */
function reasonOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * @param {string} message
 * @param {unknown} [cause]
 */
function badContent(message, cause) {
  return new InvalidArgumentError(message, {
    reason: 'bad_content',
    ...(cause !== undefined && { cause }),
  });
}
