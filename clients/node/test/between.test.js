/** What is begun while there is no connection, or one that drains. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  CancelledCallError,
  DeadlineExceededError,
  NotFoundError,
  UnavailableError,
} from '../src/index.js';
import { bounded, deferred, failure, until } from './support/bounded.js';
import { hosting, linked } from './support/fake-sidecar.js';

const DRAINING = { op: 'error', code: 'unavailable', reason: 'draining', retry: true };

/** Begins all that may wait; what was begun. */
function begin(client) {
  return [
    client.call('a', 1),
    client.stream('b', 2).value(),
    client.send('c', 3),
    client.publish('d', 4),
    client.subscribe('e'),
    client.register('f', () => 0),
  ];
}

/** Reads and answers all of it, in whatever order it comes. */
async function answer(peer) {
  const got = new Set();
  while (got.size < 6) {
    const { op, id, to, topic, name } = await peer.next();
    got.add(`${op} ${to ?? topic ?? name}`);
    if (op === 'call') peer.answer(id, to);
    else peer.send({ op: 'ok', id });
  }
  assert.deepEqual([...got].sort(), [
    'call a', 'call b', 'publish d', 'register f', 'send c', 'subscribe e',
  ]);
}

test('after goodbye it waits for the next connection', async () => {
  await linked(async (client, peer, sidecar) => {
    peer.send({ op: 'goodbye', timeout_ms: 1000 });
    await peer.nothing();
    const begun = begin(client);
    // A reader of a topic is told to wait by the sidecar.
    const { op, id } = await peer.next();
    assert.equal(op, 'subscribe');
    peer.send({ ...DRAINING, id });
    await peer.nothing();
    peer.close();
    await answer(await sidecar.welcome());
    const [called, streamed] = await bounded(Promise.all(begun));
    assert.deepEqual([called, streamed], ['a', 'b']);
  });
});

test('while there is none it waits for the next connection', async () => {
  await linked(async (client, peer, sidecar) => {
    peer.abort();
    await until(() => !client.isConnected, 'the loss');
    const begun = begin(client);
    await answer(await sidecar.welcome());
    await bounded(Promise.all(begun));
  });
});

test('what crosses the goodbye is made again on the next connection', async () => {
  await linked(async (client, peer, sidecar) => {
    const begun = [client.call('a'), client.send('b'), client.register('c', () => 0)];
    const ids = new Map();
    while (ids.size < 3) {
      const { op, id } = await peer.next();
      ids.set(op, id);
    }
    peer.send({ op: 'goodbye', timeout_ms: 1000 });
    for (const id of ids.values()) peer.send({ ...DRAINING, id });
    await peer.nothing();
    peer.close();
    const next = await sidecar.welcome();
    for (let count = 0; count < 3; count += 1) {
      const { op, id } = await next.next();
      if (op === 'call') next.answer(id, 1);
      else next.send({ op: 'ok', id });
    }
    assert.equal((await bounded(Promise.all(begun)))[0], 1);
  });
});

test('it waits within its time', async () => {
  await linked(async (client, peer, sidecar) => {
    await sidecar.stop();
    await until(() => !client.isConnected, 'the loss');
    const late = [
      client.call('a', 1, { timeoutMs: 50 }),
      client.stream('a', 1, { timeoutMs: 50 }).value(),
      client.send('a', 1, { timeoutMs: 50 }),
      client.interrupt('a:s', 1, { timeoutMs: 50 }),
    ];
    for (const each of late) await failure(each, DeadlineExceededError, 'deadline');
    const abort = new AbortController();
    const left = [
      client.call('a', 1, { signal: abort.signal }),
      client.send('a', 1, { signal: abort.signal }),
      client.publish('a', 1, { signal: abort.signal }),
    ];
    abort.abort();
    for (const each of left) await failure(each, CancelledCallError, 'cancelled');
  });
});

test('what serves a call in flight goes out while the sidecar drains', async () => {
  const agent = async (_, context) => {
    await context.send('b', 1);
    return context.call('c', 2);
  };
  await hosting({ a: agent }, async (peer) => {
    peer.send({ op: 'goodbye', timeout_ms: 1000 });
    const id = peer.call('a');
    peer.send({ op: 'ok', id: (await peer.next('send')).id });
    peer.answer((await peer.next('call')).id, 3);
    assert.deepEqual(await peer.reply(id), [3]);
  });
});

/** The operator drains the client's connection, which stays. */
const DRAINED = { op: 'goodbye', reason: 'drained', timeout_ms: 5000 };

test('a client that its operator drains serves until it is done with what it handles', async () => {
  const gate = deferred();
  let registration;
  await linked(async (client, peer) => {
    const registering = client.register('a', () => gate.promise);
    await peer.register('a');
    registration = await registering;
    const id = peer.call('a');
    const serving = client.serve();
    peer.send(DRAINED);
    await peer.nothing();
    assert.equal(registration.isRegistered, false);
    assert.equal(registration.error.reason, 'draining');
    await bounded(registration.close());
    gate.resolve('done');
    assert.deepEqual(await peer.reply(id), ['done']);
    await bounded(serving);
  });
});

test('a connection that was drained is not waited for: what is refused is refused', async () => {
  await linked(async (client, peer) => {
    peer.send(DRAINED);
    await peer.nothing();
    for (const [begin, op] of [
      [() => client.call('a', 1), 'call'],
      [() => client.register('b', () => 0), 'register'],
      [() => client.subscribe('c'), 'subscribe'],
    ]) {
      const failing = failure(begin(), UnavailableError, 'draining');
      const { id } = await peer.next(op);
      peer.send({ ...DRAINING, retry: false, id });
      await failing;
    }
  });
});

test('who reads a topic, or watches, is told of it', async () => {
  await linked(async (client, peer) => {
    const subscribing = client.subscribe('a');
    peer.send({ op: 'ok', id: (await peer.next('subscribe')).id });
    const reading = failure((await bounded(subscribing)).next(), UnavailableError, 'draining');
    const watch = client.watch('b');
    const watching = failure(watch.next(), UnavailableError, 'shutdown');
    const { id } = await peer.next('call');
    peer.send(DRAINED);
    peer.send({ op: 'error', id, code: 'unavailable', reason: 'shutdown' });
    await reading;
    await watching;
  });
});

/** With a client that is connected again. */
async function rejoined(work) {
  await linked(async (client, peer, sidecar) => {
    peer.abort();
    await until(() => !client.isConnected, 'the loss');
    const next = await sidecar.welcome();
    await until(() => client.isConnected, 'the connection');
    await work(client, next);
  });
}

const NOBODY = { op: 'error', code: 'not_found', reason: 'unknown_agent' };
const NO_REPLICA = { op: 'error', code: 'unavailable', reason: 'no_replica', retry: true };

test('behind a reconnect others have time to come back too', async () => {
  await rejoined(async (client, peer) => {
    const begun = [client.call('a'), client.stream('b').value(), client.send('c')];
    for (const refusal of [NOBODY, NO_REPLICA, NOBODY, NOBODY, NOBODY]) {
      for (let count = 0; count < begun.length; count += 1) {
        peer.send({ ...refusal, id: (await peer.next()).id });
      }
    }
    for (let count = 0; count < begun.length; count += 1) {
      const { op, id } = await peer.next();
      if (op === 'call') peer.answer(id, 1);
      else peer.send({ op: 'ok', id });
    }
    assert.deepEqual(await bounded(Promise.all(begun)), [1, 1, undefined]);
  });
});

test('not beyond the time of the call, not with input, and not for anything else', async () => {
  await rejoined(async (client, peer) => {
    for (const [begin, error] of [
      [() => client.open('a').value(), NOBODY],
      [() => client.call('a'), { ...NOBODY, reason: 'unknown_session' }],
      [() => client.signal('a', 'x.y'), NOBODY],
      [() => client.call('a', 1, { timeoutMs: 20 }), NOBODY],
    ]) {
      const failing = failure(begin(), NotFoundError, error.reason);
      peer.send({ ...error, id: (await peer.next()).id });
      await failing;
    }
  });
});
