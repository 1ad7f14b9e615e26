/** Exchanges: input of the caller's own, its window, and its end. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  CancelledCallError,
  FailedPreconditionError,
  InvalidArgumentError,
  Message,
  UnavailableError,
} from '../src/index.js';
import { all, bounded, failure, settled, until } from './support/bounded.js';
import { linked } from './support/fake-sidecar.js';

const WINDOW = 1024 * 1024;
const COST = 256;

async function exchanging(work, body, options) {
  await linked(async (client, peer) => {
    const exchange = client.open('a', body, options);
    const call = await peer.next('call');
    await work({ client, peer, exchange, call, id: call.id });
  });
}

test('an exchange says that input comes, with and without a first message', async () => {
  await exchanging(async ({ call }) => assert.equal(call.content.length, 0));
  await exchanging(async ({ call }) => assert.equal(call.input, true), 1);
  await exchanging(async ({ call }) => assert.equal(call.content.toString(), '{"a":1}'), { a: 1 });
});

test('messages are sent as they are given, and the end is bare', async () => {
  await exchanging(async ({ peer, exchange, id }) => {
    await exchange.send('text');
    await exchange.send({ a: 1 }, { type: 'T', ext: { n: 1 } });
    await exchange.send(Message.of(Buffer.from([1]), { contentType: 'image/png' }));
    await exchange.end();
    const [text, json, bytes, end] = [
      await peer.next('data'),
      await peer.next('data'),
      await peer.next('data'),
      await peer.next('data'),
    ];
    assert.deepEqual([text.content_type, text.content.toString()], ['text/plain', 'text']);
    assert.deepEqual([json.type, json.ext, json.content_type], ['T', { n: 1 }, undefined]);
    assert.equal(bytes.content_type, 'image/png');
    assert.deepEqual(end, { op: 'data', id, end: true, content: Buffer.alloc(0) });
  });
});

test('replies come while messages go', async () => {
  await exchanging(async ({ peer, exchange, id }) => {
    const reading = all(exchange);
    for (const each of [1, 2, 3]) {
      await exchange.send(each);
      peer.answer(id, (await peer.next('data')).id + each, {});
    }
    await exchange.end();
    await peer.next('data');
    peer.send({ op: 'data', id, end: true });
    assert.deepEqual(await bounded(reading), [1, 2, 3].map((each) => each + id));
  });
});

test('a sender stands still at the end of the window, and goes on with credit', async () => {
  await exchanging(async ({ peer, exchange, id }) => {
    const content = Buffer.alloc(100_000);
    let sent = 0;
    const sending = (async () => {
      for (let count = 0; count < 20; count += 1) {
        await exchange.send(content);
        sent += 1;
      }
    })();
    let window = WINDOW;
    let received = 0;
    while (window > 0) {
      window -= (await peer.next('data')).content.length + COST;
      received += 1;
    }
    await peer.nothing();
    assert.equal(sent, received);
    while (received < 20) {
      peer.send({ op: 'credit', id, bytes: 100_256 });
      await peer.next('data');
      received += 1;
      await peer.nothing();
    }
    await bounded(sending);
  });
});

test('the first message takes of the window', async () => {
  await exchanging(async ({ peer, exchange }) => {
    exchange.send(Buffer.alloc(WINDOW)).catch(() => {});
    let left = WINDOW - 500_000 - COST;
    while (left > 0) left -= (await peer.next('data')).content.length + COST;
    await peer.nothing();
  }, Buffer.alloc(500_000));
});

test('messages wait for their turn, and the end for them', async () => {
  await exchanging(async ({ peer, exchange, id }) => {
    const all3 = ['a', 'b', 'c'].map((each) => exchange.send(each.repeat(600_000)));
    const ending = exchange.end();
    let text = '';
    let isEnded = false;
    let window = WINDOW;
    while (!isEnded) {
      const { content, end } = await peer.next('data');
      text += content.toString();
      isEnded = end === true;
      if (content.length > 0) window -= content.length + COST;
      assert.ok(window > -300_000, 'never more than a frame beyond the window');
      if (window <= 0) {
        peer.send({ op: 'credit', id, bytes: WINDOW });
        window += WINDOW;
      }
    }
    assert.equal(text, `${'a'.repeat(600_000)}${'b'.repeat(600_000)}${'c'.repeat(600_000)}`);
    await bounded(Promise.all([...all3, ending]));
  });
});

test('large texts are cut between characters', async () => {
  await exchanging(async ({ peer, exchange }) => {
    exchange.send('€'.repeat(200_000)).catch(() => {});
    let text = '';
    let isOpen = true;
    while (isOpen) {
      const { content, part = false } = await peer.next('data');
      assert.ok(content.length <= 256 * 1024);
      assert.equal(Buffer.from(content.toString()).compare(content), 0);
      text += content.toString();
      isOpen = part;
    }
    assert.equal(text, '€'.repeat(200_000));
  });
});

test('only the first part says type, content type and ext', async () => {
  await exchanging(async ({ peer, exchange }) => {
    exchange.send(Buffer.alloc(300_000), { type: 'T', ext: { a: 1 } }).catch(() => {});
    const [first, second] = [await peer.next('data'), await peer.next('data')];
    assert.deepEqual(
      [first.type, first.content_type, first.ext, first.part],
      ['T', 'application/octet-stream', { a: 1 }, true],
    );
    assert.deepEqual(Object.keys(second), ['op', 'id', 'content']);
  });
});

test('after the end of its input nothing more can be sent', async () => {
  await exchanging(async ({ peer, exchange }) => {
    await exchange.end();
    await failure(exchange.send(1), FailedPreconditionError, 'call_ended');
    await exchange.end();
    assert.equal((await peer.next('data')).end, true);
    await peer.nothing();
  });
});

test('after the end of the call nothing more can be sent', async () => {
  await exchanging(async ({ peer, exchange, id }) => {
    peer.send({ op: 'data', id, end: true });
    assert.deepEqual(await bounded(all(exchange)), []);
    await failure(exchange.send(1), FailedPreconditionError, 'call_ended');
    await exchange.end();
    await peer.nothing();
  });
});

const HOST_LOST = { code: 'unavailable', reason: 'host_lost' };

for (const [name, end, reason] of [
  ['an error', (peer, id) => peer.send({ op: 'error', id, ...HOST_LOST }), 'host_lost'],
  ['the loss of the connection', (peer) => peer.abort(), 'connection_lost'],
]) {
  test(`who waits to send gets ${name}`, async () => {
    await exchanging(async ({ peer, exchange, id }) => {
      await exchange.send(Buffer.alloc(2 * WINDOW).subarray(0, 262_144));
      const waiting = exchange.send(Buffer.alloc(2 * WINDOW));
      const behind = exchange.send('behind');
      await peer.next('data');
      end(peer, id);
      await failure(waiting, UnavailableError, reason);
      await failure(behind, UnavailableError, reason);
      await failure(exchange.value(), UnavailableError, reason);
    });
  });
}

test('leaving the exchange lets go who waits to send', async () => {
  await exchanging(async ({ exchange }) => {
    const waiting = exchange.send(Buffer.alloc(2 * WINDOW));
    await settled();
    await exchange[Symbol.asyncDispose]();
    await failure(waiting, CancelledCallError, 'cancelled');
  });
});

test('the signal of a send that waits cancels the call', async () => {
  await exchanging(async ({ peer, exchange, id }) => {
    const abort = new AbortController();
    await exchange.send('first', { signal: abort.signal });
    const waiting = exchange.send(Buffer.alloc(2 * WINDOW), { signal: abort.signal });
    await settled();
    abort.abort();
    await failure(waiting, CancelledCallError);
    for (;;) {
      const got = await peer.next();
      if (got.op === 'cancel') {
        assert.equal(got.id, id);
        break;
      }
    }
  });
});

test('a signal that is aborted when the message has gone does nothing', async () => {
  await exchanging(async ({ peer, exchange }) => {
    const abort = new AbortController();
    await exchange.send('a', { signal: abort.signal });
    abort.abort();
    await exchange.send('b');
    await peer.next('data');
    assert.equal((await peer.next('data')).content.toString(), 'b');
  });
});

test('a message that cannot be sent leaves the exchange as it was', async () => {
  await exchanging(async ({ peer, exchange }) => {
    await failure(exchange.send(() => 1), InvalidArgumentError, 'bad_content');
    await failure(exchange.send(1, { ext: { a: 0.5 } }), InvalidArgumentError, 'bad_field');
    const type = 'T'.repeat(40_000);
    await failure(exchange.send(1, { type }), InvalidArgumentError, 'too_large');
    await exchange.send('b');
    assert.equal((await peer.next('data')).content.toString(), 'b');
  });
});

test('what is changed after it was sent arrives as it was', async () => {
  await exchanging(async ({ peer, exchange }) => {
    const content = Buffer.alloc(200_000, 1);
    await exchange.send(content);
    content.fill(2);
    assert.ok((await peer.next('data')).content.every((byte) => byte === 1));
  });
});

test('a call whose message is over max_content sends it in parts behind', async () => {
  await linked(
    async (client, peer) => {
      const calling = client.call('a', 'x'.repeat(5000), { type: 'T' });
      const call = await peer.next('call');
      assert.deepEqual([call.input, call.content.length, call.type], [true, 0, 'T']);
      let size = 0;
      let isEnded = false;
      while (!isEnded) {
        const { content, end = false, part = false } = await peer.next('data');
        assert.ok(content.length <= 1000 && part !== end);
        size += content.length;
        isEnded = end;
      }
      assert.equal(size, 5000);
      peer.answer(call.id, 1);
      assert.equal(await bounded(calling), 1);
      await failure(client.send('a', 'x'.repeat(5000)), InvalidArgumentError, 'too_large');
    },
    { welcome: { max_content: 1000 } },
  );
});

test('an exchange that is used before there is a connection waits for it', async () => {
  await linked(async (client, peer, sidecar) => {
    peer.abort();
    await until(() => !client.isConnected, 'the loss');
    const exchange = client.open('a');
    const sending = [exchange.send(1), exchange.send(2), exchange.end()];
    const next = await sidecar.welcome();
    await next.next('call');
    await bounded(Promise.all(sending));
    assert.equal((await next.next('data')).content.toString(), '1');
    assert.equal((await next.next('data')).content.toString(), '2');
    assert.equal((await next.next('data')).end, true);
  });
});
