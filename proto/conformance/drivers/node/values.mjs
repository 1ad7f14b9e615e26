/** Values, messages and errors as the lines of the driver spell them. */

import { createHash } from 'node:crypto';

import { AgentError, Message, Part } from '../../../../clients/node/src/index.js';

const LISTED_BYTES_MAX = 1024;

/** A value as the client takes it, without what stands beside it. */
function bare(value) {
  if ('json' in value) return value.json;
  if ('text' in value) return value.text;
  if ('hex' in value) return Buffer.from(value.hex, 'hex');
  return Buffer.alloc(value.bytes, value.repeat);
}

/** What to call an agent with: a plain value wherever one says it all. */
export function bodyOf(value) {
  if (value === undefined) return undefined;
  const isPlain = !('type' in value || 'content_type' in value || 'ext' in value);
  return isPlain ? bare(value) : messageOf(value);
}

/** A value as a message, with what stands beside it. */
export function messageOf(value) {
  const { type, content_type: contentType, ext } = value;
  return Message.of(bare(value), { type, contentType, ext });
}

/** A value as a piece of a message. */
export function partOf(value) {
  const content = bare(value);
  const isContent = typeof content === 'string' || Buffer.isBuffer(content);
  return new Part(isContent ? content : JSON.stringify(content), { type: value.type });
}

/** A message that arrived. */
export function messageJson(message) {
  const { content, contentType, type, ext, error } = message;
  if (error !== undefined) return { failed: { code: error.code, reason: error.reason } };
  const told = { content_type: contentType };
  if (type !== '') told.type = type;
  if (Object.keys(ext).length > 0) told.ext = ext;
  if (content.length > LISTED_BYTES_MAX) return { ...told, ...digestJson(content) };
  if (contentType.startsWith('text/')) return { ...told, text: message.value };
  const isJson = /(\/|\+)json$/.test(contentType.split(';')[0].trim());
  if (isJson && content.length > 0) return { ...told, json: message.value };
  return { ...told, hex: content.toString('hex') };
}

/** A value that the client made of a message. */
export function valueJson(value) {
  return messageJson(Message.of(value));
}

function digestJson(content) {
  return { bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
}

/** An error, with the texts of its causes. */
export function errorJson(error) {
  const { code, reason, message, retry, details } = error;
  const told = { code, reason, message };
  if (retry) told.retry = true;
  if (Object.keys(details).length > 0) told.details = details;
  const causes = [];
  for (let { cause } = error; cause instanceof Error; { cause } = cause) {
    if (!(cause instanceof AgentError)) causes.push(`${cause.name}: ${cause.message}`);
  }
  if (causes.length > 0) told.causes = causes;
  return told;
}
