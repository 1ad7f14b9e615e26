/** Calls that fail: which are made again, when time is over, and what the errors say. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as client_ from '../src/index.js';
import {
  AbortedError,
  AgentError,
  CancelledCallError,
  DeadlineExceededError,
  NotFoundError,
  RemoteCause,
  ResourceExhaustedError,
  UnavailableError,
} from '../src/index.js';
import { errorFrom, wireError } from '../src/errors.js';
import { Header } from '../src/header.js';
import { bounded, failure, settled, until } from './support/bounded.js';
import { linked } from './support/fake-sidecar.js';

const NO_REPLICA = { op: 'error', code: 'unavailable', reason: 'no_replica', retry: true };
const HOST_LOST = { op: 'error', code: 'unavailable', reason: 'host_lost' };

const codes = [
  ['invalid_argument', 'InvalidArgumentError'],
  ['not_found', 'NotFoundError'],
  ['already_exists', 'AlreadyExistsError'],
  ['permission_denied', 'PermissionDeniedError'],
  ['unauthenticated', 'UnauthenticatedError'],
  ['resource_exhausted', 'ResourceExhaustedError'],
  ['failed_precondition', 'FailedPreconditionError'],
  ['aborted', 'AbortedError'],
  ['unimplemented', 'UnimplementedError'],
  ['internal', 'InternalError'],
  ['unavailable', 'UnavailableError'],
  ['deadline_exceeded', 'DeadlineExceededError'],
  ['cancelled', 'CancelledCallError'],
];

for (const [code, name] of codes) {
  test(`${code} is thrown as ${name}, and says so on the wire`, async () => {
    await linked(async (client, peer) => {
      const calling = client.call('a:s');
      const { id } = await peer.next('call');
      const details = { n: 1, yes: true, s: 'x' };
      peer.send({ op: 'error', id, code, reason: 'why', message: 'text', details });
      const error = await failure(calling, client_[name], 'why');
      assert.ok(error instanceof AgentError && error instanceof Error);
      assert.deepEqual(
        [error.code, error.name, error.message, error.details, error.address, error.retry],
        [code, name, 'text', details, 'a:s', false],
      );
      assert.equal(wireError(new client_[name]('m')).code, code);
      assert.equal(Object.values(client_.ErrorCode).includes(code), true);
    });
  });
}

test('causes are a chain of their types and messages', () => {
  const details = { type: 'ValueError', causes: 'KeyError: pear <- OSError <- E: a: b' };
  const error = errorFrom(new Header({ code: 'internal', message: 'm', details }));
  const chain = [];
  for (let { cause } = error; cause !== undefined; { cause } = cause) {
    assert.ok(cause instanceof RemoteCause);
    chain.push([cause.type, cause.message, cause.name]);
  }
  assert.deepEqual(chain, [
    ['KeyError', 'pear', 'KeyError'],
    ['OSError', '', 'OSError'],
    ['E', 'a: b', 'E'],
  ]);
});

test('what was thrown is told with its causes, and no stack', () => {
  const root = new RangeError('unknown fruit');
  const error = new TypeError('no price', { cause: new Error('', { cause: root }) });
  assert.deepEqual(wireError(error), {
    code: 'internal',
    reason: 'agent_error',
    message: 'no price',
    details: { type: 'TypeError', causes: 'Error <- RangeError: unknown fruit' },
  });
});

test('an error of another agent names that one, unless it does already', () => {
  const error = new NotFoundError('gone', { reason: 'r', address: 'b:1', cause: new Error('x') });
  const told = wireError(error);
  assert.deepEqual(told.details, { agent: 'b:1', causes: 'Error: x' });
  const named = new NotFoundError('', { address: 'b', details: { agent: 'c', causes: 'mine' } });
  assert.deepEqual(wireError(named).details, { agent: 'c', causes: 'mine' });
});

for (const [thrown, type, message] of [
  ['text', 'string', 'text'],
  [null, 'null', 'null'],
  [undefined, 'undefined', 'undefined'],
  [42, 'number', '42'],
  [Object.create(null), 'object', 'object'],
  [new (class Odd {})(), 'Odd', '[object Object]'],
  [new (class Mine extends Error {})('m'), 'Error', 'm'],
]) {
  test(`what is thrown may be anything: ${type}`, () => {
    const told = wireError(thrown);
    assert.deepEqual([told.details.type, told.message], [type, message]);
  });
}

test('errors are cut to what a header holds', () => {
  const circle = new Error('round');
  circle.cause = circle;
  assert.equal(wireError(circle).details.causes, undefined);
  let chain = new Error('0');
  for (let depth = 1; depth < 100; depth += 1) chain = new Error(`${depth}`, { cause: chain });
  assert.equal(wireError(chain).details.causes.split(' <- ').length, 8);
  const { message } = wireError(new Error('é'.repeat(5000)));
  assert.ok(Buffer.byteLength(message) <= 4096 && message.endsWith('é…'));
  assert.equal(wireError(new Error('\ud800')).message, '\ufffd');
  const odd = { 'a"b': 1, '': 1, half: 0.5, list: [1], ['k'.repeat(200)]: 1 };
  const details = { long: 'x'.repeat(9000), ...odd };
  const told = wireError(new AgentError('', { details })).details;
  assert.equal(told.long.length, 2048 - 3 + 1);
  assert.deepEqual([told.half, told.list], ['0.5', '1']);
  assert.ok(Object.keys(told).every((key) => Buffer.byteLength(key) <= 128 && key !== ''));
});

test('a call that nobody saw is made again, up to three times', async () => {
  await linked(async (client, peer) => {
    const calling = client.call('a', 'x', { type: 'T' });
    for (const id of [1, 3, 5, 7]) {
      const got = await peer.next('call');
      assert.deepEqual([got.id, got.type, got.content.toString()], [id, 'T', 'x']);
      peer.send({ ...NO_REPLICA, id });
    }
    const error = await failure(calling, UnavailableError, 'no_replica');
    assert.equal(error.retry, true);
    await peer.nothing();
  });
});

test('a call that is made again gives what then comes', async () => {
  await linked(async (client, peer) => {
    const calling = client.call('a');
    peer.send({ ...NO_REPLICA, id: (await peer.next('call')).id });
    peer.answer((await peer.next('call')).id, 'later');
    assert.equal(await bounded(calling), 'later');
  });
});

test('repeats: 0 repeats nothing', async () => {
  await linked(
    async (client, peer) => {
      const calling = client.call('a');
      peer.send({ ...NO_REPLICA, id: (await peer.next('call')).id });
      await failure(calling, UnavailableError);
      await peer.nothing();
    },
    { repeats: 0 },
  );
});

test('what an agent may have seen is not made again', async () => {
  await linked(async (client, peer) => {
    const calling = client.call('a');
    peer.send({ ...HOST_LOST, id: (await peer.next('call')).id });
    await failure(calling, UnavailableError, 'host_lost');
    await peer.nothing();
  });
});

test('a stream of which something came is not made again', async () => {
  await linked(async (client, peer) => {
    const reply = client.stream('a');
    const { id } = await peer.next('call');
    peer.answer(id, 1, {});
    peer.send({ ...NO_REPLICA, id });
    await failure(reply.value(), UnavailableError);
    await peer.nothing();
  });
});

test('a call with input of its own is not made again', async () => {
  await linked(async (client, peer) => {
    const exchange = client.open('a');
    peer.send({ ...NO_REPLICA, id: (await peer.next('call')).id });
    await failure(exchange.value(), UnavailableError);
    await peer.nothing();
  });
});

test('a call is not made again beyond its time', async () => {
  await linked(async (client, peer) => {
    const calling = client.call('a', 1, { timeoutMs: 5000 });
    const details = { retry_after_ms: 60_000 };
    const full = { op: 'error', code: 'resource_exhausted', reason: 'mailbox_full', retry: true };
    peer.send({ ...full, details, id: (await peer.next('call')).id });
    await failure(calling, ResourceExhaustedError, 'mailbox_full');
    await peer.nothing();
  });
});

test('a call that waits to be made again can be cancelled', async () => {
  await linked(async (client, peer) => {
    const abort = new AbortController();
    const calling = client.call('a', 1, { signal: abort.signal });
    const details = { retry_after_ms: 20_000 };
    peer.send({ ...NO_REPLICA, details, id: (await peer.next('call')).id });
    await peer.nothing();
    abort.abort();
    await failure(calling, CancelledCallError);
    await peer.nothing();
  });
});

test('a signal that is aborted already makes no call', async () => {
  await linked(async (client, peer) => {
    const signal = AbortSignal.abort('no');
    const error = await failure(client.call('a', 1, { signal }), CancelledCallError);
    assert.equal(error.cause, 'no');
    await failure(client.stream('a', 1, { signal }).value(), CancelledCallError);
    await failure(client.send('a', 1, { signal }), CancelledCallError);
    await failure(client.discover('', { signal }), CancelledCallError);
    await peer.nothing();
  });
});

test('one signal may cancel any number of calls, and is listened to once', async () => {
  await linked(async (client, peer) => {
    const abort = new AbortController();
    let listeners = 0;
    const { addEventListener } = abort.signal;
    abort.signal.addEventListener = (...rest) => {
      listeners += 1;
      addEventListener.apply(abort.signal, rest);
    };
    const { signal } = abort;
    const calling = Array.from({ length: 50 }, (_, each) => client.call('a', each, { signal }));
    for (let each = 0; each < 50; each += 1) await peer.next('call');
    peer.answer(1, 'before');
    assert.equal(await bounded(calling[0]), 'before');
    abort.abort('enough');
    for (const each of calling.slice(1)) {
      assert.equal((await failure(each, CancelledCallError)).cause, 'enough');
    }
    for (let each = 1; each < 50; each += 1) await peer.next('cancel');
    assert.equal(listeners, 1);
  });
});

test('a signal leaves nothing behind at calls that have ended', async () => {
  await linked(async (client, peer) => {
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...rest) => {
      listeners += 1;
      addEventListener.apply(signal, rest);
    };
    signal.removeEventListener = (...rest) => {
      listeners -= 1;
      removeEventListener.apply(signal, rest);
    };
    const calling = client.call('a', 1, { signal });
    peer.answer((await peer.next('call')).id, 1);
    await bounded(calling);
    const failing = client.call('a', 1, { signal });
    peer.send({ ...HOST_LOST, id: (await peer.next('call')).id });
    await failure(failing, UnavailableError);
    const sending = client.send('a', 1, { signal });
    peer.send({ op: 'ok', id: (await peer.next('send')).id });
    await bounded(sending);
    assert.equal(listeners, 0);
  });
});

test('a deadline that the sidecar does not keep ends the call here, and cancels it', async () => {
  await linked(async (client, peer) => {
    const calling = client.call('a', 1, { timeoutMs: 50 });
    const { id } = await peer.next('call');
    const error = await failure(calling, DeadlineExceededError, 'deadline');
    assert.equal(error.address, 'a');
    assert.equal((await peer.next('cancel')).id, id);
  });
});

test('a call without a connection waits for one, within its time', async () => {
  await linked(async (client, peer, sidecar) => {
    peer.abort();
    await until(() => !client.isConnected, 'the loss');
    const late = client.call('a', 1, { timeoutMs: 30 });
    await failure(late, DeadlineExceededError, 'deadline');
    const calling = client.call('a', 2, { timeoutMs: 2 ** 33 }); // More than a timer takes.
    const next = await sidecar.welcome();
    const got = await next.next('call');
    assert.equal(got.content.toString(), '2');
    next.answer(got.id, 3);
    assert.equal(await bounded(calling), 3);
  });
});

test('an error at a position ends a call that wants one value', async () => {
  await linked(async (client, peer) => {
    const calling = client.call('a');
    const { id } = await peer.next('call');
    peer.send({ op: 'error', id, code: 'not_found', more: true });
    await failure(calling, NotFoundError);
    assert.equal((await peer.next('cancel')).id, id);
  });
});

test('a cancel from the sidecar ends the call', async () => {
  await linked(async (client, peer) => {
    const calling = client.call('a');
    peer.send({ op: 'cancel', id: (await peer.next('call')).id });
    await failure(calling, CancelledCallError);
  });
});

test('an error class of a user keeps the code of its parent, and its own name', () => {
  class PriceError extends AbortedError {}
  class Named extends AbortedError {
    constructor(message) {
      super(message, { reason: 'why' });
      this.name = 'Renamed';
    }
  }
  const told = [new PriceError('x'), new Named('x')].map(({ name, code }) => [name, code]);
  assert.deepEqual(told, [['PriceError', 'aborted'], ['Renamed', 'aborted']]);
  assert.deepEqual(wireError(new Named('x')).reason, 'why');
  assert.match(new Named('x').toString(), /^Renamed: x$/);
});

test('errors that are made here name where; those that arrive do not', async () => {
  assert.match(new NotFoundError('x').stack, /failures\.test\.js/);
  const arrived = errorFrom(new Header({ code: 'not_found', message: 'x' }));
  assert.equal(arrived.stack, 'NotFoundError: x');
  await settled();
});
