/** Whether what an agent gets and answers is what its operations declare. */

import { Message, Part } from './content.js';
import { OutOfOrder } from './delegating.js';
import { InternalError, InvalidArgumentError } from './errors.js';
import { Reply } from './reply.js';
import { faultOf } from './schema.js';

/** @typedef {import('./hosted-call.js').HostedCall} HostedCall */

/**
 * A value as the agent's operation takes it; throws InvalidArgumentError for one it does not.
 *
 * @param {HostedCall} call
 * @param {any} value
 * @returns {any}
 */
export function checked(call, value) {
  const { operation } = call;
  if (operation?.input === undefined) return value;
  const fault = faultOf(operation.input, value, operation.validate);
  if (fault === undefined) return value;
  const { path, message } = fault;
  throw new InvalidArgumentError(`the message${path.slice(1)} ${message}`, {
    reason: 'bad_content',
    details: { path },
  });
}

/**
 * Throws InternalError for a value that the agent's operation does not answer, if answers are
 * looked at. Pieces of messages, and what others answer, are not.
 *
 * @param {HostedCall} call
 * @param {any} value
 */
export function checkReply(call, value) {
  const { operation } = call;
  if (operation?.output === undefined || !operation.checksReplies) return;
  if (value instanceof Part || value instanceof Reply) return;
  if (value instanceof OutOfOrder) {
    checkReply(call, value.value);
    return;
  }
  if (value instanceof Message && value.error !== undefined) return;
  const plain = value instanceof Message ? value.value : value;
  const fault = faultOf(operation.output, plain, operation.validate);
  if (fault === undefined) return;
  const { path, message } = fault;
  throw new InternalError(`the reply${path.slice(1)} ${message}`, {
    reason: 'bad_reply',
    details: { path },
  });
}
