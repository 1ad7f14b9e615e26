/**
 * Frames: `| H u32be | C u32be | header JSON | content |`, read.
 *
 * What comes from the sidecar begins `{"op":"…","id":N`; the rest of a header repeats from frame
 * to frame of a stream, so it is parsed once and remembered.
 */

import { isUtf8 } from 'node:buffer';

import { isNatural } from './errors.js';

export const HEADER_BYTES_MAX_IN = 65_536;
export const HEADER_BYTES_MAX_OUT = 32_768;
export const CONTENT_BYTES_MAX = 16 * 1024 * 1024;
export const FRAME_COST = 256;
export const PART_BYTES_MAX = 256 * 1024;
const HEADER_BYTES_MIN = 2;
const REMEMBERED_MAX = 512;
const REMEMBERED_LENGTH_MAX = 160;
const HELD_BYTES_MIN = 1024;
const COMMA = 0x2c;
const BRACE = 0x7d;

/** @type {Map<string, string>} Each by itself: what is looked up is then the same string object. */
const OPS = new Map(
  (
    'hello welcome ping pong goodbye register ok call data error cancel credit send close ' +
    'publish subscribe signal splice'
  )
    .split(' ')
    .map((each) => [each, each]),
);
const KINDS = new Map([
  ...kinds(
    'string',
    'op client token name server connection reason description version to type trace ' +
      'content_type from code message agent topic source run features',
  ),
  ...kinds(
    'integer',
    'v id max_content heartbeat_ms timeout_ms concurrency session_concurrency idle_ms window ' +
      'bytes parent call dropped',
  ),
  ...kinds(
    'boolean',
    'exclusive lazy input detach new oneway observe part end unordered more retry',
  ),
  ...kinds('object', 'labels ext details'),
]);

/** In JSON as V8 writes it: an escape, the backslash of which is not itself escaped. */
const loneSurrogate = /(?<!\\)(?:\\\\)*\\ud[89a-f]/;

/** Bytes that cannot be trusted: the connection must close. */
export class WireError extends Error {
  /**
   * @param {string} reason One of errors.json.
   * @param {string} message
   */
  constructor(reason, message) {
    super(message);
    this.reason = reason;
  }
}

/**
 * Receives the frames: op, id (0 where there is none), the header made by `make`, and where the
 * content stands. The bytes are overwritten after it returns.
 *
 * @template H
 * @typedef {(op: string, id: number, header: H, bytes: Buffer, start: number, end: number)
 *   => void} FrameSink
 */

/**
 * Turns bytes, however they are cut, into frames.
 *
 * @template H
 */
export class Decoder {
  /** @type {FrameSink<H>} */
  #sink;
  /** @type {(raw: Record<string, any>) => H} */
  #make;
  #headerBytesMax;
  /** @type {Map<string, H>} */
  #remembered = new Map();
  #held = Buffer.alloc(0);
  #heldBytes = 0;
  #isStopped = false;

  /**
   * @param {FrameSink<H>} sink
   * @param {(raw: Record<string, any>) => H} make What becomes of a header's other fields.
   * @param {{ headerBytesMax?: number, contentBytesMax?: number }} [limits]
   */
  constructor(sink, make, limits = {}) {
    this.#sink = sink;
    this.#make = make;
    this.#headerBytesMax = limits.headerBytesMax ?? HEADER_BYTES_MAX_IN;
    this.contentBytesMax = limits.contentBytesMax ?? CONTENT_BYTES_MAX;
    /** @type {WireError | undefined} Why nothing more is taken. */
    this.error = undefined;
  }

  /** How many bytes wait for the rest of their frame. */
  get rest() {
    return this.#heldBytes;
  }

  /** No frame is given to the sink any more. */
  stop() {
    this.#isStopped = true;
  }

  /**
   * Gives the sink what is complete with these bytes. Never throws for them: after the first frame
   * that cannot be trusted, `error` is set and nothing more taken.
   *
   * @param {Buffer} bytes
   * @param {number} [size] How many of them count.
   */
  feed(bytes, size = bytes.length) {
    if (this.#isStopped) return;
    try {
      let at = this.#heldBytes > 0 ? this.#continue(bytes, size) : 0;
      while (size - at >= 8 && !this.#isStopped) {
        const middle = at + 8 + uint32(bytes, at);
        const end = middle + uint32(bytes, at + 4);
        this.#checkLengths(middle - at - 8, end - middle);
        if (end > size) break;
        this.#frame(bytes, at + 8, middle, end);
        at = end;
      }
      if (at < size && !this.#isStopped) this.#hold(bytes, at, size, this.#needed(bytes, at, size));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.error = error;
      this.#isStopped = true;
    }
  }

  /**
   * Completes the frame that is held, if it can be; returns where the next one starts.
   *
   * @param {Buffer} bytes
   * @param {number} size
   */
  #continue(bytes, size) {
    let at = 0;
    if (this.#heldBytes < 8) {
      at = Math.min(8 - this.#heldBytes, size);
      this.#hold(bytes, 0, at, 8);
      if (this.#heldBytes < 8) return size;
    }
    const headerSize = uint32(this.#held, 0);
    const contentSize = uint32(this.#held, 4);
    this.#checkLengths(headerSize, contentSize);
    const needed = 8 + headerSize + contentSize;
    const taken = Math.min(needed - this.#heldBytes, size - at);
    this.#hold(bytes, at, at + taken, needed);
    if (this.#heldBytes === needed) {
      const held = this.#held;
      this.#held = Buffer.alloc(0);
      this.#heldBytes = 0;
      this.#frame(held, 8, 8 + headerSize, needed);
    }
    return at + taken;
  }

  /**
   * How many bytes the frame that starts here takes, as far as is known.
   *
   * @param {Buffer} bytes
   * @param {number} at
   * @param {number} size
   */
  #needed(bytes, at, size) {
    return size - at < 8 ? 8 : 8 + uint32(bytes, at) + uint32(bytes, at + 4);
  }

  /**
   * Keeps bytes of an unfinished frame. What is allocated is at most twice what has arrived.
   *
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   * @param {number} needed
   */
  #hold(bytes, start, end, needed) {
    const size = this.#heldBytes + end - start;
    if (size > this.#held.length) {
      const room = Math.max(size, Math.min(needed, Math.max(size * 2, HELD_BYTES_MIN)));
      const held = Buffer.allocUnsafeSlow(room);
      this.#held.copy(held, 0, 0, this.#heldBytes);
      this.#held = held;
    }
    bytes.copy(this.#held, this.#heldBytes, start, end);
    this.#heldBytes = size;
  }

  /**
   * @param {number} headerSize
   * @param {number} contentSize
   */
  #checkLengths(headerSize, contentSize) {
    if (headerSize < HEADER_BYTES_MIN || headerSize > this.#headerBytesMax) {
      throw new WireError(
        'header_length',
        `header of ${headerSize} bytes is not within ${HEADER_BYTES_MIN}…${this.#headerBytesMax}`,
      );
    }
    if (contentSize > this.contentBytesMax) {
      throw new WireError(
        'content_length',
        `content of ${contentSize} bytes exceeds ${this.contentBytesMax}`,
      );
    }
  }

  /**
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} middle
   * @param {number} end
   */
  #frame(bytes, start, middle, end) {
    const text = bytes.toString('latin1', start, middle);
    if (text.startsWith('{"op":"')) {
      const quote = text.indexOf('"', 7);
      const op = OPS.get(text.slice(7, quote));
      if (op !== undefined && text.startsWith(',"id":', quote + 1)) {
        let at = quote + 7;
        let digit = text.charCodeAt(at) - 48;
        let id = 0;
        while (digit >= (id === 0 ? 1 : 0) && digit <= 9 && id < 1e15) {
          id = id * 10 + digit;
          at += 1;
          digit = text.charCodeAt(at) - 48;
        }
        const next = digit + 48;
        if (isNatural(id) && id > 0 && (next === COMMA || next === BRACE)) {
          const rest = text.slice(at);
          const header = this.#remembered.get(rest) ?? this.#rest(rest, bytes, middle);
          this.#sink(op, id, header, bytes, middle, end);
          return;
        }
      }
    }
    const raw = parseHeader(bytes, start, middle);
    const { op = '', id = 0, ...fields } = raw;
    this.#sink(op, isNatural(id) ? id : 0, this.#make(fields), bytes, middle, end);
  }

  /**
   * The header's fields behind `op` and `id`.
   *
   * @param {string} rest
   * @param {Buffer} bytes
   * @param {number} middle
   */
  #rest(rest, bytes, middle) {
    /** @type {Record<string, any>} */
    let fields = {};
    if (rest !== '}') {
      const copy = Buffer.from(bytes.subarray(middle - rest.length, middle));
      copy[0] = 0x7b; // The comma becomes the brace of an object by itself.
      fields = parseObject(copy, 0, copy.length);
      if ('op' in fields || 'id' in fields || Object.keys(fields).length === 0) {
        throw new WireError('bad_header', 'a key is there twice, or none behind a comma');
      }
      checkKinds(fields);
    }
    const header = this.#make(fields);
    if (rest.length <= REMEMBERED_LENGTH_MAX) {
      if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear();
      this.#remembered.set(rest, header);
    }
    return header;
  }
}

/**
 * Any valid header; throws WireError. Nothing is asked of the fields of an op that is not known
 * here: it will be ignored.
 *
 * @param {Buffer} bytes
 * @param {number} start
 * @param {number} end
 */
function parseHeader(bytes, start, end) {
  const raw = parseObject(bytes, start, end);
  if (raw.op !== undefined && typeof raw.op !== 'string') {
    throw new WireError('bad_field', 'op is not a string');
  }
  if (!OPS.has(raw.op)) return { op: raw.op ?? '', id: raw.id };
  checkKinds(raw);
  return raw;
}

/**
 * @param {Buffer} bytes
 * @param {number} start
 * @param {number} end
 * @returns {Record<string, any>}
 */
function parseObject(bytes, start, end) {
  // The sidecar checks headers whole before it sends them on; here only what would mislead is
  // refused, and what a later version may add is let pass.
  const text = bytes.toString('utf8', start, end);
  let parsed;
  let isLone = false;
  try {
    parsed = JSON.parse(text);
    // A lone surrogate is only there as an escape, and is written as one again.
    isLone = text.includes('\\u') && loneSurrogate.test(JSON.stringify(parsed));
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw new WireError('bad_header', `header is not JSON: ${message}`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new WireError('bad_header', 'header is not a JSON object');
  }
  if (text.includes('\ufffd') && !isUtf8(bytes.subarray(start, end))) {
    throw new WireError('bad_header', 'header is not UTF-8');
  }
  if (isLone) throw new WireError('bad_header', 'header holds a lone surrogate');
  return parsed;
}

/**
 * Throws WireError for a known field of the wrong kind.
 *
 * @param {Record<string, unknown>} fields
 */
export function checkKinds(fields) {
  for (const [key, value] of Object.entries(fields)) {
    const kind = KINDS.get(key);
    if (kind !== undefined && !isOfKind(kind, value)) {
      throw new WireError('bad_field', `${key} is not of its kind`);
    }
  }
}

/**
 * @param {string} kind
 * @param {unknown} value
 */
function isOfKind(kind, value) {
  if (kind === 'integer') return isNatural(value);
  if (kind !== 'object') return typeof value === kind;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  Object.freeze(value); // It is shared between frames, and shown to users.
  return Object.values(value).every(
    (each) => typeof each === 'string' || typeof each === 'boolean' || isNatural(each),
  );
}

/**
 * @param {Buffer} bytes
 * @param {number} at
 */
function uint32(bytes, at) {
  return (
    bytes[at] * 0x1000000 + ((bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3])
  );
}

/**
 * @param {string} kind
 * @param {string} names
 * @returns {Array<[string, string]>}
 */
function kinds(kind, names) {
  return names.split(' ').map((each) => [each, kind]);
}
