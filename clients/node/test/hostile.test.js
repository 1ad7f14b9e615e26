/** What cannot be trusted closes the connection, and connections end at every step. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { UnavailableError } from '../src/index.js';
import { bounded, failure, randomFrom, until } from './support/bounded.js';
import { frame, hosting, linked } from './support/fake-sidecar.js';

function lengths(header, content) {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(header, 0);
  bytes.writeUInt32BE(content, 4);
  return bytes;
}

const data = (fields) => frame({ op: 'data', ...fields });
const wrong = [
  ['a header too long', lengths(65_537, 0), 'header_length'],
  ['a header too short', lengths(1, 0), 'header_length'],
  ['content too long', lengths(2, 16 * 1024 * 1024 + 1), 'content_length'],
  ['no JSON', frame('{"op":"ping"'), 'bad_header'],
  ['no object', frame('[1]'), 'bad_header'],
  ['no UTF-8', frame(Buffer.from('{"op":"\xffping"}', 'latin1')), 'bad_header'],
  ['a lone surrogate', frame('{"op":"data","id":1,"type":"\\ud800"}'), 'bad_header'],
  ['an id of the wrong kind', frame('{"op":"data","id":"1"}'), 'bad_field'],
  ['a field of the wrong kind', data({ id: 1, end: 'yes' }), 'bad_field'],
  ['an ext that is not flat', data({ id: 1, ext: { a: [] } }), 'bad_field'],
  ['a reply without an id', data({}), 'bad_id'],
  ['an id never opened', data({ id: 99 }), 'bad_id'],
  ['credit for an id never opened', frame({ op: 'credit', id: 98, bytes: 1 }), 'bad_id'],
  ['ok for an id never opened', frame({ op: 'ok', id: 77 }), 'bad_id'],
  ['an error for an id never opened', frame({ op: 'error', id: 77, code: 'internal' }), 'bad_id'],
  ['a cancel for an id never opened', frame({ op: 'cancel', id: 78 }), 'bad_id'],
  ['a call with an odd id', frame({ op: 'call', id: 1, to: 'a' }), 'bad_id'],
  ['a call without an id', frame({ op: 'call', to: 'a' }), 'bad_id'],
  ['a close with an odd id', frame({ op: 'close', id: 3, to: 'a:1' }), 'bad_id'],
];

for (const [name, bytes, reason] of wrong) {
  test(`${name} closes the connection, and another is made`, async () => {
    await linked(async (client, peer, sidecar) => {
      const calling = client.call('a');
      await peer.next('call');
      peer.sendRaw(bytes);
      await failure(calling, UnavailableError, 'connection_lost');
      const said = await peer.next('error');
      assert.deepEqual([said.id, said.reason], [undefined, reason]);
      await peer.ended();
      await sidecar.welcome();
    });
  });
}

test('ids of the sidecar that go back are refused', async () => {
  await hosting({ a: () => 1 }, async (peer) => {
    await peer.reply(peer.call('a'));
    peer.send({ op: 'call', id: 2, to: 'a', window: 1 });
    assert.equal((await peer.next('error')).reason, 'bad_id');
    await peer.ended();
  });
});

test('frames for ids that have ended, and that make no sense, are dropped', async () => {
  await hosting({ a: () => new Promise(() => {}) }, async (peer, client) => {
    const calling = client.call('x');
    const { id } = await peer.next('call');
    peer.send({ op: 'ok', id });
    peer.answer(id, 1);
    await bounded(calling);
    for (const op of ['data', 'ok', 'credit', 'cancel', 'error']) {
      peer.send({ op, id, code: 'internal', bytes: 1 });
    }
    const hosted = peer.call('a');
    for (const op of ['ok', 'data', 'credit']) peer.send({ op, id: hosted, bytes: 0 });
    peer.send({ op: 'data', id: 1 }); // To a registration.
    peer.send({ op: 'credit', id: 1, bytes: 5 });
    await peer.nothing();
    assert.ok(client.isConnected);
  });
});

test('nothing after a bad frame is acted on', async () => {
  let calls = 0;
  const agent = () => {
    calls += 1;
  };
  await hosting({ a: agent }, async (peer, client) => {
    const call = frame({ op: 'call', id: 2, to: 'a', window: 1000 });
    peer.sendRaw(Buffer.concat([frame('[]'), call]));
    await peer.ended();
    await until(() => !client.isConnected, 'the loss');
    assert.equal(calls, 0);
  });
});

/** Frames that a sidecar may write in a conversation with agent `a`, as one run of bytes. */
const conversation = Buffer.concat([
  frame({ op: 'data', id: 3, content_type: 'text/plain', part: true }, 'half'),
  frame({ op: 'call', id: 2, to: 'a:s', window: 600, new: true, timeout_ms: 50 }, '{"a":1}'),
  frame({ op: 'credit', id: 2, bytes: 100 }),
  frame({ op: 'data', id: 3 }, 'whole'),
  frame({ op: 'ping' }),
  frame({ op: 'close', id: 4, to: 'a:s', reason: 'idle' }),
  frame({ op: 'error', id: 3, code: 'aborted', message: 'x' }),
]);

for (let at = 0; at < conversation.length; at += 23) {
  test(`a connection that ends after ${at} bytes leaves nothing hanging`, async () => {
    const agent = async (value, { signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    };
    await hosting({ a: agent }, async (peer, client, sidecar) => {
      const reading = client.call('x');
      await peer.next('call');
      const sending = client.send('y');
      sending.catch(() => {});
      const exchange = client.open('z');
      const writing = exchange.send(Buffer.alloc(2_000_000));
      writing.catch(() => {});
      peer.sendRaw(conversation.subarray(0, at));
      await peer.nothing().catch(() => {}); // Inside a frame the ping is part of it.
      peer.abort();
      await assert.rejects(bounded(reading));
      await assert.rejects(bounded(sending));
      await assert.rejects(bounded(writing));
      await assert.rejects(bounded(exchange.value()));
      const next = await sidecar.welcome();
      await next.register('a');
    });
  });
}

for (let seed = 1; seed <= 40; seed += 1) {
  test(`nonsense of seed ${seed} does no harm`, async () => {
    const random = randomFrom(seed);
    await hosting({ a: (value) => value }, async (peer, client, sidecar) => {
      const calling = client.call('x', 1, { timeoutMs: 60_000 });
      calling.catch(() => {});
      await peer.next('call');
      const bytes = Buffer.from(conversation);
      for (let times = 1 + random(8); times > 0; times -= 1) {
        const at = random(bytes.length);
        if (random(3) === 0) bytes.copy(bytes, at, random(bytes.length));
        else bytes[at] = random(256);
      }
      for (let at = 0; at < bytes.length; ) {
        const size = 1 + random(200);
        peer.sendRaw(bytes.subarray(at, at + size));
        at += size;
      }
      peer.abort();
      await assert.rejects(bounded(calling)); // Ended by the bytes, or by the loss of them.
      const next = await sidecar.welcome();
      await next.register('a');
      assert.deepEqual(await next.reply(next.call('a', '7')), [7]);
    });
  });
}
