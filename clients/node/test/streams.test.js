/** Replies read as they come: by whom, from where, and what leaving means. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  AbortedError,
  CancelledCallError,
  InternalError,
  NotFoundError,
  UnavailableError,
} from '../src/index.js';
import { all, bounded, failure, settled } from './support/bounded.js';
import { linked } from './support/fake-sidecar.js';

const TEXT = { content_type: 'text/plain' };

/** Runs with a stream that is open at the sidecar. */
async function streaming(work, options) {
  await linked(async (client, peer) => {
    const reply = client.stream('a', 1, options);
    const { id } = await peer.next('call');
    const send = (content, fields = {}) => peer.send({ op: 'data', id, ...fields }, content);
    const fail = (fields) => peer.send({ op: 'error', id, ...fields });
    await work({ client, peer, reply, id, send, fail });
  });
}

test('values come in order, each as soon as it is there', async () => {
  await streaming(async ({ reply, send }) => {
    const reader = reply[Symbol.asyncIterator]();
    send('1');
    assert.deepEqual(await bounded(reader.next()), { value: 1, done: false });
    const waiting = reader.next();
    send('"b"');
    assert.deepEqual(await bounded(waiting), { value: 'b', done: false });
    send('x', { ...TEXT, end: true });
    assert.deepEqual(await bounded(all(reader)), ['x']);
    assert.deepEqual(await reader.next(), { value: undefined, done: true });
  });
});

test('what was asked for in advance is given in order, and the end to the rest', async () => {
  await streaming(async ({ reply, send }) => {
    const reader = reply[Symbol.asyncIterator]();
    const asked = [reader.next(), reader.next(), reader.next(), reader.next()];
    send('1');
    send('2', { end: true });
    const results = await bounded(Promise.all(asked));
    assert.deepEqual(
      results.map(({ value, done }) => (done ? 'end' : value)),
      [1, 2, 'end', 'end'],
    );
  });
});

test('readers, early and late, read the same from the start', async () => {
  await streaming(async ({ reply, send }) => {
    const early = all(reply);
    send('1');
    const middle = all(reply);
    send('2');
    send('3', { end: true });
    assert.deepEqual(await bounded(early), [1, 2, 3]);
    assert.deepEqual(await bounded(middle), [1, 2, 3]);
    assert.deepEqual(await bounded(all(reply)), [1, 2, 3]);
    assert.deepEqual((await bounded(all(reply.messages()))).map(({ value }) => value), [1, 2, 3]);
    assert.deepEqual(await bounded(reply.value()), [1, 2, 3]);
  });
});

test('messages show type, content type and ext of their first frame', async () => {
  await streaming(async ({ reply, send }) => {
    send('a', { type: 'T', ...TEXT, ext: { m: 1 }, part: true });
    send('b', { type: 'X', content_type: 'image/png' });
    send('{}', { end: true });
    const [first, second] = await bounded(all(reply.messages()));
    assert.deepEqual([first.type, first.contentType, first.ext], ['T', 'text/plain', { m: 1 }]);
    assert.deepEqual([first.value, first.content.toString()], ['ab', 'ab']);
    assert.deepEqual([second.type, second.contentType, second.ext], ['', 'application/json', {}]);
  });
});

test('parts come one by one, cut characters whole', async () => {
  await streaming(async ({ reply, send }) => {
    const smile = Buffer.from('😀!');
    const reader = reply.parts();
    send('Drip', { ...TEXT, part: true });
    assert.equal((await bounded(reader.next())).value, 'Drip');
    send(smile.subarray(0, 2), { part: true });
    send(smile.subarray(2), { part: true });
    assert.equal((await bounded(reader.next())).value, '😀!');
    send('', {});
    send(Buffer.from([1]), { content_type: 'image/png', part: true });
    assert.deepEqual((await bounded(reader.next())).value, Buffer.from([1]));
    send(Buffer.from([2]), { end: true });
    assert.deepEqual(await bounded(all(reader)), [Buffer.from([2])]);
  });
});

test('a large message of many parts is whole', async () => {
  await streaming(async ({ reply, send }) => {
    const piece = Buffer.alloc(100_000, 7);
    for (let count = 0; count < 5; count += 1) {
      send(piece, { content_type: 'application/octet-stream', part: true });
    }
    send('', { end: true });
    const [value] = await bounded(all(reply));
    assert.equal(value.length, 500_000);
    assert.ok(value.every((byte) => byte === 7));
  });
});

test('an error ends the stream where it stands, for every reader', async () => {
  await streaming(async ({ reply, send, fail }) => {
    send('1');
    fail({ code: 'aborted', reason: 'why', message: 'no', details: { a: 1 } });
    for (const values of [[], []]) {
      const reading = (async () => {
        for await (const each of reply) values.push(each);
      })();
      const error = await failure(reading, AbortedError, 'why');
      assert.deepEqual([error.message, error.details, error.address], ['no', { a: 1 }, 'a']);
      assert.deepEqual(values, [1]);
    }
    assert.ok(reply.error instanceof AbortedError);
    await failure(reply.value(), AbortedError);
  });
});

test('an error at a position is thrown there and leaves the stream', async () => {
  await streaming(async ({ peer, reply, id, send, fail }) => {
    send('1');
    fail({ code: 'not_found', reason: 'pear', more: true });
    const values = [];
    const reading = (async () => {
      for await (const each of reply) values.push(each);
    })();
    await failure(reading, NotFoundError, 'pear');
    assert.deepEqual(values, [1]);
    assert.equal((await peer.next('cancel')).id, id);
  });
});

test('an error at a position is a message where wanted, and the stream goes on', async () => {
  await streaming(async ({ reply, send, fail }) => {
    send('half', { ...TEXT, part: true });
    fail({ code: 'not_found', reason: 'pear', more: true });
    send('2', { end: true });
    const [first, second] = await bounded(all(reply.messages({ errors: true })));
    assert.ok(first.error instanceof NotFoundError);
    assert.throws(() => first.value, NotFoundError);
    assert.equal(first.content.length, 0);
    assert.equal(second.value, 2);
  });
});

const waysToLeave = {
  break: async (reply) => {
    for await (const _ of reply) break;
  },
  'an error in the loop': async (reply) => {
    const looping = (async () => {
      for await (const _ of reply) throw new TypeError('mine');
    })();
    await assert.rejects(looping, TypeError);
  },
  'return()': async (reply) => {
    const reader = reply[Symbol.asyncIterator]();
    await reader.next();
    assert.deepEqual(await reader.return(), { value: undefined, done: true });
    assert.deepEqual(await reader.next(), { value: undefined, done: true });
  },
  'cancel()': async (reply) => reply.cancel(),
  'await using': async (reply) => reply[Symbol.asyncDispose](),
  'leaving the parts': async (reply) => {
    for await (const _ of reply.parts()) break;
  },
  'disposing of a reader': async (reply) => {
    const reader = reply.messages();
    await reader.next();
    await reader[Symbol.asyncDispose]();
  },
};

for (const [name, leave] of Object.entries(waysToLeave)) {
  test(`${name} cancels the call`, async () => {
    await streaming(async ({ peer, reply, id, send }) => {
      send('1');
      await bounded(leave(reply));
      const { id: cancelled } = await peer.next('cancel');
      assert.equal(cancelled, id);
      assert.ok(reply.isDone);
      send('2'); // It crossed the end: dropped.
      await peer.nothing();
    });
  });
}

test('who is left while another reads does not end the call', async () => {
  await streaming(async ({ peer, reply, send }) => {
    const stays = all(reply);
    send('1');
    for await (const _ of reply) break;
    await peer.nothing();
    send('2', { end: true });
    assert.deepEqual(await bounded(stays), [1, 2]);
  });
});

test('leaving after the end says nothing', async () => {
  await streaming(async ({ peer, reply, send }) => {
    send('1');
    send('2', { end: true });
    for await (const _ of reply) break;
    reply.cancel();
    assert.equal(reply.error, undefined);
    await peer.nothing();
  });
});

test('who waits when the call is cancelled gets that', async () => {
  await streaming(async ({ reply }) => {
    const waiting = reply[Symbol.asyncIterator]().next();
    reply.cancel();
    await failure(waiting, CancelledCallError, 'cancelled');
  });
});

test('a reader that is left while it waits is at its end', async () => {
  await streaming(async ({ peer, reply }) => {
    const reader = reply[Symbol.asyncIterator]();
    const waiting = reader.next();
    await reader.return();
    assert.deepEqual(await bounded(waiting), { value: undefined, done: true });
    await peer.next('cancel');
  });
});

test('a signal cancels the call, and its reason is the cause', async () => {
  const abort = new AbortController();
  const options = { signal: abort.signal };
  await streaming(async ({ peer, reply, id }) => {
    const waiting = all(reply);
    const why = new RangeError('changed my mind');
    abort.abort(why);
    const error = await failure(waiting, CancelledCallError, 'cancelled');
    assert.equal(error.cause, why);
    assert.equal((await peer.next('cancel')).id, id);
  }, options);
});

test('a lazy stream is started by its first reader', async () => {
  await streaming(
    async ({ peer, reply, id, send }) => {
      await peer.nothing();
      const reading = all(reply);
      assert.deepEqual(await peer.next('credit'), {
        op: 'credit',
        id,
        bytes: 1000,
        content: Buffer.alloc(0),
      });
      send('1', { end: true });
      assert.deepEqual(await bounded(reading), [1]);
    },
    { lazy: true, window: 1000 },
  );
});

test('a lazy call says so', async () => {
  await linked(async (client, peer) => {
    client.stream('a', 1, { lazy: true });
    const got = await peer.next('call');
    assert.deepEqual([got.lazy, got.window], [true, 0]);
  });
});

test('a reply is no promise, so that async functions can return it', async () => {
  await streaming(async ({ reply, send }) => {
    const passed = await (async () => reply)();
    assert.equal(passed, reply);
    assert.equal('then' in reply, false);
    send('1', { end: true });
  });
});

test('the end of the connection ends streams, after what had come', async () => {
  await streaming(async ({ peer, reply, send }) => {
    send('1');
    const reader = reply[Symbol.asyncIterator]();
    await bounded(reader.next());
    peer.abort();
    await failure(reader.next(), UnavailableError, 'connection_lost');
    assert.deepEqual(await reader.next(), { value: undefined, done: true });
  });
});

test('a stream that is left in the turn of its start is cancelled behind it', async () => {
  await linked(async (client, peer) => {
    client.stream('a').cancel();
    const { id } = await peer.next('call');
    assert.equal((await peer.next('cancel')).id, id);
  });
});

test('an unknown code reads as internal, and is kept', async () => {
  await streaming(async ({ reply, fail }) => {
    fail({ code: 'teapot', reason: 'short', message: 'stout' });
    const error = await failure(reply.value(), InternalError, 'short');
    assert.deepEqual([error.code, error.details], ['internal', { code: 'teapot' }]);
    await settled();
  });
});
