/** Topics: publishing, reading and feeding agents. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  CancelledCallError,
  InvalidArgumentError,
  UnavailableError,
  local,
} from '../src/index.js';
import { bounded, failure } from './support/bounded.js';
import { linked } from './support/fake-sidecar.js';

const BAD_TOPIC = { code: 'invalid_argument', reason: 'bad_topic', message: 'no' };

/** A subscription that the sidecar took. */
async function subscribed(client, peer, topic, options) {
  const subscribing = client.subscribe(topic, options);
  const { id } = await peer.next('subscribe');
  peer.send({ op: 'ok', id });
  return bounded(subscribing);
}

test('publish says all that was given', async () => {
  await linked(async (client, peer) => {
    const publishing = client.publish('orders.new', { total: 12 }, {
      source: '4711',
      type: 'Placed',
      ext: { k: 1 },
      trace: '00-1',
      sender: 'shop',
      timeoutMs: 250,
    });
    const { content, ...header } = await peer.next('publish');
    assert.deepEqual(header, {
      op: 'publish',
      id: 1,
      topic: 'orders.new',
      source: '4711',
      type: 'Placed',
      from: 'shop',
      trace: '00-1',
      ext: { k: 1 },
      timeout_ms: 250,
    });
    assert.equal(content.toString(), '{"total":12}');
    peer.send({ op: 'ok', id: 1 });
    assert.equal(await bounded(publishing), undefined);
    await bounded(client.publish('a', 'text', { ack: false }));
    const { id, source } = await peer.next('publish');
    assert.deepEqual([id, source], [undefined, 'default']);
  });
});

test('a publish that is refused throws, and one that nobody saw is made again', async () => {
  await linked(async (client, peer) => {
    const refused = client.publish('a..b', 1);
    peer.send({ op: 'error', id: (await peer.next('publish')).id, ...BAD_TOPIC });
    assert.equal((await failure(refused, InvalidArgumentError, 'bad_topic')).address, 'a..b');
    const publishing = client.publish('a', 1);
    const { id } = await peer.next('publish');
    peer.send({ op: 'error', id, code: 'unavailable', reason: 'draining', retry: true });
    peer.send({ op: 'ok', id: (await peer.next('publish')).id });
    await bounded(publishing);
  });
});

test('messages say where they come from, until the loop is left', async () => {
  await linked(async (client, peer) => {
    const orders = await subscribed(client, peer, 'orders.>');
    const said = { op: 'data', id: 1, topic: 'orders.new', source: '1' };
    peer.send({ ...said, from: 'shop:1', type: 'T', ext: { k: true }, dropped: 3 }, '{"a":1}');
    peer.send({ ...said, content_type: 'text/plain' }, 'paid');
    const got = [];
    for await (const message of orders) {
      const { topic, source, sender, type, ext, dropped, value } = message;
      got.push({ topic, source, sender, type, ext: { ...ext }, dropped, value });
      if (got.length === 2) break;
    }
    const common = { topic: 'orders.new', source: '1' };
    assert.deepEqual(got, [
      { ...common, sender: 'shop:1', type: 'T', ext: { k: true }, dropped: 3, value: { a: 1 } },
      { ...common, sender: '', type: '', ext: {}, dropped: 0, value: 'paid' },
    ]);
    assert.equal((await peer.next('cancel')).id, 1);
    assert.deepEqual(await orders.next(), { value: undefined, done: true });
  });
});

test('a subscription that is refused, or given up, throws', async () => {
  await linked(async (client, peer) => {
    const refused = client.subscribe('a..b');
    peer.send({ op: 'error', id: (await peer.next('subscribe')).id, ...BAD_TOPIC });
    await failure(refused, InvalidArgumentError, 'bad_topic');
    const abort = new AbortController();
    const leaving = client.subscribe('a', { signal: abort.signal });
    const { id } = await peer.next('subscribe');
    abort.abort();
    await failure(leaving, CancelledCallError);
    assert.equal((await peer.next('cancel')).id, id);
  });
});

test('with a window of 1 the next is asked for when it is wanted', async () => {
  await linked(async (client, peer) => {
    const price = await subscribed(client, peer, 'price', { window: 1 });
    const said = { op: 'data', id: 1, topic: 'price', source: 's' };
    peer.send(said, '1');
    assert.equal((await bounded(price.next())).value.value, 1);
    peer.send({ op: 'ping' });
    await peer.next('pong'); // Nothing stands before it.
    const asking = price.next();
    assert.equal((await peer.next('credit')).bytes, 257);
    peer.send({ ...said, dropped: 7 }, '9');
    assert.equal((await bounded(asking)).value.dropped, 7);
  });
});

test('a subscription and what feeds an agent go on over a lost connection', async () => {
  await linked(async (client, first, sidecar) => {
    let peer = first;
    const reading = await subscribed(client, peer, 't.*', { window: 1 });
    peer.send({ op: 'data', id: 1, topic: 't.a', source: 's' }, '1');
    assert.equal((await bounded(reading.next())).value.value, 1);
    const seen = [];
    const registering = client.register('room', async (text, context) => {
      const { topic, source, session, isSend } = context;
      seen.push({ text, topic, source, session, isSend });
      await context.publish('heard', text, { ack: false });
    }, { topics: ['chat.>'] });
    for (const id of [3, 5]) {
      assert.equal((await peer.next(id === 3 ? 'register' : 'subscribe')).id, id);
      peer.send({ op: 'ok', id });
    }
    await bounded(registering);
    peer.abort();
    peer = await sidecar.welcome();
    const again = [];
    for (let count = 0; count < 3; count += 1) again.push(await peer.next());
    for (const { id } of again) peer.send({ op: 'ok', id });
    assert.deepEqual(
      again.map(({ op, topic, agent }) => [op, topic, agent]).sort(),
      [['register', undefined, undefined], ['subscribe', 'chat.>', 'room'],
        ['subscribe', 't.*', undefined]],
    );
    const { id } = again.find(({ topic }) => topic === 't.*');
    peer.send({ op: 'data', id, topic: 't.b', source: 's' }, '2');
    assert.equal((await bounded(reading.next())).value.value, 2);
    const told = { topic: 'chat.said', source: 'r1', oneway: true, content_type: 'text/plain' };
    const call = peer.call('room:r1', 'hi', told);
    assert.equal((await peer.next('publish')).parent, call);
    assert.deepEqual(seen, [
      { text: 'hi', topic: 'chat.said', source: 'r1', session: 'r1', isSend: true },
    ]);
    const waiting = reading.next();
    const ended = failure(waiting, UnavailableError);
    await client.close();
    await ended;
  });
});

test('an agent that a topic does not feed is withdrawn', async () => {
  await linked(async (client, peer) => {
    const registering = client.register('room', () => {}, { topics: ['a..b'] });
    peer.send({ op: 'ok', id: (await peer.next('register')).id });
    peer.send({ op: 'error', id: (await peer.next('subscribe')).id, ...BAD_TOPIC });
    assert.equal((await peer.next('cancel')).id, 1);
    peer.send({ op: 'error', id: 1, code: 'cancelled', message: '' });
    await failure(registering, InvalidArgumentError, 'bad_topic');
  });
});

test('a real sidecar hands messages out in order, once, by session', async () => {
  const client = await local();
  try {
    const all = await client.subscribe('chat.>');
    class Room {
      #said = [];

      async hear(text, context) {
        this.#said.push(text);
        await context.publish('chat.heard', [...this.#said], { source: context.source });
      }

      static operations = { hear: {} };
    }
    await client.register('room', Room, { topics: ['chat.said', 'chat.*'] });
    for (const [source, text] of [['ann', '1'], ['bob', '2'], ['ann', '3']]) {
      await client.publish('chat.said', text, { source, type: 'hear' });
    }
    const heard = { ann: [], bob: [] };
    for (let count = 0; count < 6; count += 1) {
      const { topic, source, sender, value } = (await bounded(all.next())).value;
      if (topic === 'chat.heard') {
        assert.equal(sender, `room:${source}`);
        heard[source].push(value);
      }
    }
    assert.deepEqual(heard, { ann: [['1'], ['1', '3']], bob: [['2']] });
  } finally {
    await client.close();
  }
});
