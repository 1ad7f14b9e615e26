/** Runs an agent for a call: which of its operations, on which instance, with what argument. */

import { isPromise } from './answering.js';
import { checked } from './checking.js';
import { decode, keep } from './content.js';
import { WINDOW_DEFAULT } from './header.js';
import { messageOf } from './readers.js';
import { Receiving } from './receiving.js';

/** @typedef {import('./agents.js').Operation} Operation */
/** @typedef {import('./content.js').Kept} Kept */
/** @typedef {import('./header.js').Header} Header */
/** @typedef {import('./hosted-call.js').HostedCall} HostedCall */

const NO_BYTES = Buffer.alloc(0);

/**
 * Runs the agent; what it gives, or a promise of it.
 *
 * @param {HostedCall} call
 * @param {Buffer} bytes With the content of the call's own frame, from `start` to `end`.
 * @param {number} start
 * @param {number} end
 * @returns {unknown}
 */
export function begin(call, bytes, start, end) {
  const { header } = call;
  const isBare = header.input && start === end && header.type === '';
  // What kind of message it is, and what it says, comes with the first of the input.
  if (isBare) return beginWithInput(call);
  const operation = choose(call, header.type);
  return handle(call, operation, argument(call, operation, bytes, start, end));
}

/**
 * @param {HostedCall} call
 * @param {string} type
 * @returns {Operation}
 */
function choose(call, type) {
  call.operation = call.registration.spec.operation(type);
  return call.operation;
}

/**
 * @param {HostedCall} call
 * @returns {Promise<unknown>}
 */
async function beginWithInput(call) {
  const input = /** @type {Receiving} */ (call.input);
  let type = '';
  if (call.registration.spec.operations.length > 1) {
    if (input.isEmpty && !input.isEnded) await arrival(input);
    type = input.taken.next?.header.type ?? '';
  }
  const operation = choose(call, type);
  return handle(call, operation, argument(call, operation, NO_BYTES, 0, 0));
}

/**
 * What the function gets, or a promise of it.
 *
 * @param {HostedCall} call
 * @param {Operation} operation
 * @param {Buffer} bytes
 * @param {number} start
 * @param {number} end
 * @returns {any}
 */
function argument(call, operation, bytes, start, end) {
  const { receives } = operation;
  const { header } = call;
  if (receives === 'values' || receives === 'messages') {
    if (call.input === undefined) {
      call.input = new Receiving(WINDOW_DEFAULT, call);
      const isMessage = end > start || header.type !== '' || header.contentType !== '';
      if (isMessage) call.input.frame(header, bytes, start, end);
      call.input.end();
    }
    return call.inputReader(receives === 'values' ? call.inputValue : messageOf);
  }
  if (call.input !== undefined) {
    const convert = receives === 'value' ? call.inputValue : messageOf;
    return first(call, /** @type {(header: Header, content: Kept) => any} */ (convert));
  }
  if (receives === 'message') return messageOf(header, keep(bytes, start, end));
  if (start === end && header.type === '' && header.contentType === '') {
    return operation.input === undefined ? undefined : checked(call, undefined);
  }
  return checked(call, decode(bytes, start, end, header.contentType));
}

/**
 * The first message of the input; undefined if it ends before.
 *
 * @param {HostedCall} call
 * @param {(header: Header, content: Kept) => any} convert
 */
async function first(call, convert) {
  const reader = call.inputReader(convert);
  const { value, done } = await reader.next();
  reader.leave();
  return done && call.operation?.input !== undefined ? checked(call, undefined) : value;
}

/**
 * @param {HostedCall} call
 * @param {Operation} operation
 * @param {any} argument
 * @returns {unknown}
 */
function handle(call, operation, argument) {
  if (call.registration.spec.cls === undefined) {
    if (!isPromise(argument)) return work(call, operation, undefined, argument);
    return argument.then((/** @type {any} */ value) => work(call, operation, undefined, value));
  }
  call.session = call.hosting.session(call.registration, call.context);
  const { instance } = call.session;
  if (!isPromise(argument) && !isPromise(instance)) {
    return work(call, operation, instance, argument);
  }
  return Promise.all([instance, argument]).then(([made, value]) =>
    work(call, operation, made, value),
  );
}

/**
 * The user's own code begins.
 *
 * @param {HostedCall} call
 * @param {Operation} operation
 * @param {any} instance
 * @param {any} value
 * @returns {unknown}
 */
function work(call, operation, instance, value) {
  call.beginRunning();
  return operation.work.call(instance, value, call.context);
}

/**
 * Resolves once something has come.
 *
 * @param {Receiving} input
 */
function arrival(input) {
  return new Promise((resolve) => {
    input.wait({ wake: () => resolve(undefined) });
  });
}
