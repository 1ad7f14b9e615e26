/** Headers whose length depends on what users say. */

import { InvalidArgumentError, cut, wireError } from './errors.js';
import { HEADER_BYTES_MAX_OUT } from './wire.js';

/** `{"op":"register","id":` and the largest id. */
const OPENING_LENGTH_MAX = 40;

/**
 * Throws InvalidArgumentError for a header over the limit.
 *
 * @param {string} header All of it, or what stands behind op and id.
 */
export function checkHeader(header) {
  if (header.length <= HEADER_BYTES_MAX_OUT / 3 - OPENING_LENGTH_MAX) return;
  const size = Buffer.byteLength(header) + OPENING_LENGTH_MAX;
  if (size > HEADER_BYTES_MAX_OUT) {
    throw new InvalidArgumentError(`header of ${size} bytes exceeds ${HEADER_BYTES_MAX_OUT}`, {
      reason: 'too_large',
    });
  }
}

/**
 * The header of an `error`, within its limits whatever was thrown.
 *
 * @param {number} id 0: about the connection.
 * @param {unknown} thrown
 * @param {{ retry?: boolean, isMore?: boolean }} options
 * @returns {string}
 */
export function errorHeader(id, thrown, { retry = false, isMore = false } = {}) {
  const { code, reason, message, details } = wireError(thrown);
  const short = JSON.stringify(message).length > 8192 ? cut(message, 1024) : message; // Escapes.
  let header = '{"op":"error"';
  if (id !== 0) header += `,"id":${id}`;
  header += `,"code":"${code}"`;
  if (reason !== '') header += `,"reason":${JSON.stringify(cut(reason, 128))}`;
  header += `,"message":${JSON.stringify(short)}`;
  if (Object.keys(details).length > 0) {
    const spelled = JSON.stringify(details);
    if (Buffer.byteLength(spelled) <= 8192) header += `,"details":${spelled}`;
  }
  if (retry) header += ',"retry":true';
  if (isMore) header += ',"more":true';
  return `${header}}`;
}
