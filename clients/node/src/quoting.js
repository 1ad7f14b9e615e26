/** Strings and flat objects as they stand in headers. */

import { InvalidArgumentError, isNatural } from './errors.js';

const EXT_BYTES_MAX = 8192;
const KEY_BYTES_MAX = 128;
const KEYS_MAX = 64;

const unusualInKey = /[\u0000-\u001f\u007f-\u009f"\\]/;

/**
 * Whether a string has no lone surrogate. V8 knows at once of strings within Latin-1.
 *
 * @param {string} text
 * @returns {boolean}
 */
export function isWellFormed(text) {
  return /** @type {{ isWellFormed(): boolean }} */ (/** @type {unknown} */ (text)).isWellFormed();
}

/**
 * A JSON string; throws InvalidArgumentError for a lone surrogate.
 *
 * @param {string} text
 * @returns {string}
 */
export function quoted(text) {
  if (!isWellFormed(text)) {
    throw new InvalidArgumentError('a header string holds a lone surrogate', {
      reason: 'bad_field',
    });
  }
  return JSON.stringify(text);
}

/**
 * A flat JSON object of strings, booleans and integers 0…2^53-1.
 *
 * @param {Readonly<Record<string, unknown>>} values
 * @param {string} field Which of the header it is, for the error.
 * @param {number} [bytesMax]
 * @returns {string}
 */
export function flatObject(values, field, bytesMax = EXT_BYTES_MAX) {
  /** @type {string[]} */
  const members = [];
  for (const [key, value] of Object.entries(values)) {
    const isUnusual = key === '' || !isWellFormed(key) || unusualInKey.test(key);
    if (isUnusual || Buffer.byteLength(key) > KEY_BYTES_MAX) {
      throw bad(field, `${field} has a key that is empty, too long or needs escapes: ${key}`);
    }
    if (typeof value === 'string') members.push(`"${key}":${quoted(value)}`);
    else if (typeof value === 'boolean' || isNatural(value)) members.push(`"${key}":${value}`);
    else throw bad(field, `${field}.${key} is no string, boolean or integer of 0…2^53-1`);
  }
  if (members.length > KEYS_MAX) throw bad(field, `${field} has more than ${KEYS_MAX} members`);
  const text = `{${members.join(',')}}`;
  if (Buffer.byteLength(text) > bytesMax) {
    throw bad(field, `${field} takes more than ${bytesMax} bytes`);
  }
  return text;
}

/**
 * @param {string} field
 * @param {string} message
 */
function bad(field, message) {
  return new InvalidArgumentError(message, { reason: 'bad_field', details: { field } });
}
