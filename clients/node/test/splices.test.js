/** Replies that an agent passes on unread: where they stand, and what becomes of the call. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  Delegated,
  FailedPreconditionError,
  InvalidArgumentError,
  Message,
  NotFoundError,
  Part,
  outOfOrder,
} from '../src/index.js';
import { all, bounded, deferred, failure, settled } from './support/bounded.js';
import { hosting } from './support/fake-sidecar.js';

/** What an agent writes for a call: the calls it makes by their address, texts, splices, errors. */
async function written(agent, frames, work = async () => {}) {
  await hosting({ a: agent }, async (peer) => {
    const id = peer.call('a');
    const names = new Map([[id, 'a']]);
    for (const expected of frames) {
      const got = await peer.next();
      if (got.op === 'call') names.set(got.id, got.to);
      const marks = ['end', 'part', 'unordered', 'more', 'reason'].filter((each) => each in got);
      const words = marks.map((each) => (got[each] === true ? each : got[each]));
      const about = got.op === 'call' ? [got.to] : [names.get(got.id), names.get(got.call)];
      const text = got.op === 'call' ? [] : [`${got.content}`];
      const told = [got.op, ...about, ...text, ...words].filter((each) => each);
      assert.deepEqual(told.join(' '), expected);
      await work(got, peer);
    }
    await peer.nothing();
  });
}

test('a delegated call is opened at once, with a window of 0, as a child', async () => {
  const agent = async (_, context) => {
    const delegated = context.delegate('b:s', 'x', { type: 'T', timeoutMs: 5000, lazy: true });
    assert.ok(delegated instanceof Delegated);
    assert.equal(delegated.address, 'b:s');
    return delegated;
  };
  await hosting({ a: agent }, async (peer) => {
    const id = peer.call('a', '', { ext: { x: 1 }, trace: '00-1' });
    const { content, timeout_ms: timeoutMs, ...call } = await peer.next('call');
    assert.deepEqual(call, {
      op: 'call', id: call.id, to: 'b:s', type: 'T', content_type: 'text/plain', parent: id,
      window: 0, lazy: true, ext: { x: 1 }, trace: '00-1',
    });
    assert.ok(timeoutMs <= 5000);
    assert.deepEqual(await peer.next(), {
      op: 'splice', id, call: call.id, end: true, content: Buffer.alloc(0),
    });
    // Its id has ended, and the call too: what crosses is dropped.
    peer.answer(call.id, 1);
    peer.send({ op: 'credit', id, bytes: 1000 });
    peer.send({ op: 'cancel', id });
    await peer.nothing();
  });
});

test('yielded they stand in their place, begun at once', async () => {
  await written(async function* agent(_, context) {
    const first = context.delegate('b');
    const second = context.delegate('c');
    yield 'A1';
    yield first;
    yield second;
    yield 'A2';
  }, ['call b', 'call c', 'data a A1', 'splice a b', 'splice a c', 'data a A2', 'data a end']);
});

test('a splice needs no credit', async () => {
  const agent = async function* agent(_, context) {
    yield 'A1';
    yield context.delegate('b');
    yield 'A2';
  };
  await hosting({ a: agent }, async (peer) => {
    const id = peer.call('a', '', { window: 1 });
    await peer.next('data');
    await peer.nothing(); // A generator is not resumed while there is no credit.
    peer.send({ op: 'credit', id, bytes: 300 });
    await peer.next('call');
    assert.equal((await peer.next('splice')).end, undefined);
    assert.equal(`${(await peer.next('data')).content}`, 'A2');
  });
});

for (const [what, agent, calls = ['call b']] of [
  ['a function', (_, context) => context.delegate('b')],
  ['an async function', async (_, context) => context.delegate('b')],
  ['an async generator', async function* agent(_, context) {
    return context.delegate('b');
  }],
  ['a generator', function* agent(_, context) {
    return context.delegate('b');
  }],
  ['an operation of a class', class {
    static operations = { work: {} };

    async work(_, context) {
      return context.delegate('b');
    }
  }],
]) {
  test(`returned by ${what} they are the rest of the reply`, async () => {
    await written(agent, [...calls, 'splice a b end']);
  });
}

test('an open message ends before a splice', async () => {
  await written(async function* agent(_, context) {
    yield new Part('tok');
    yield context.delegate('b');
    yield new Part('ens');
    return context.delegate('c');
  }, [
    'data a tok part', 'call b', 'data a', 'splice a b', 'data a ens part', 'call c', 'data a',
    'splice a c end',
  ]);
});

test('out of order are messages and delegated calls', async () => {
  await written(async function* agent(_, context) {
    yield context.delegate('slow');
    yield 'after-slow';
    yield outOfOrder('urgent');
    yield outOfOrder(Message.of({ x: 1 }, { type: 'T' }));
    yield outOfOrder(context.delegate('slow'));
  }, [
    'call slow', 'splice a slow', 'data a after-slow', 'data a urgent unordered',
    'data a {"x":1} unordered', 'call slow', 'splice a slow unordered', 'data a end',
  ]);
});

test('what is returned out of order goes first, and the end behind', async () => {
  const agent = () => outOfOrder('urgent');
  await written(agent, ['data a urgent unordered', 'data a end']);
});

test('a message out of order goes in one frame, or not at all', async () => {
  await written(async function* agent() {
    yield outOfOrder('x'.repeat(300_000));
  }, [`data a ${'x'.repeat(300_000)} unordered`, 'data a end']);
  const agent = async function* agent() {
    yield outOfOrder('x'.repeat(1001));
  };
  await hosting({ a: agent }, async (peer) => {
    peer.call('a');
    assert.equal((await peer.next('error')).reason, 'too_large');
  }, { welcome: { max_content: 1000 } });
});

test('what is neither spliced nor read is cancelled when its handler ends', async () => {
  await written(async (_, context) => {
    context.delegate('b');
    context.delegate('c');
    return 'done';
  }, ['call b', 'call c', 'data a done end', 'cancel b', 'cancel c']);
  await written(async (_, context) => {
    context.delegate('b');
    return context.delegate('c');
  }, ['call b', 'call c', 'splice a c end', 'cancel b']);
});

test('a delegated call may be read instead, and is then copied', async () => {
  const read = deferred();
  await written(async function* agent(_, context) {
    const delegated = context.delegate('b');
    read.resolve(await all(delegated));
    yield delegated;
  }, ['call b', 'credit b', 'data a one', 'data a end'], async ({ op, id }, peer) => {
    if (op !== 'credit') return;
    peer.send({ op: 'data', id, content_type: 'text/plain' }, 'one');
    peer.send({ op: 'data', id, end: true });
  });
  assert.deepEqual(await bounded(read.promise), ['one']);
});

/** Answers a plain call: a message, an error at a position, a message, and an error at last. */
async function answers({ op, to, id }, peer) {
  if (op !== 'call' || to !== 'b') return;
  peer.send({ op: 'data', id, type: 'T', content_type: 'text/plain', ext: { x: 1 } }, 'one');
  peer.send({ op: 'error', id, code: 'aborted', reason: 'between', more: true });
  peer.send({ op: 'data', id, content_type: 'text/plain' }, 'two');
  peer.send({ op: 'error', id, code: 'aborted', reason: 'last' });
}

const COPIED = ['call b', 'data a one', 'error a more between', 'data a two'];

test('a plain stream is copied, with the errors at their places', async () => {
  await written(async function* agent(_, context) {
    yield context.stream('b');
    yield 'behind';
  }, [...COPIED, 'error a more last', 'data a behind', 'data a end'], answers);
  await written(async function* agent(_, context) {
    return context.stream('b');
  }, [...COPIED, 'error a last'], answers);
});

test('a plain stream out of order is copied so', async () => {
  await written(async function* agent(_, context) {
    yield outOfOrder(context.stream('b'));
  }, ['call b', 'data a one unordered', 'data a end'], async ({ op, id }, peer) => {
    if (op !== 'call') return;
    peer.send({ op: 'data', id, content_type: 'text/plain', end: true }, 'one');
  });
});

test('an error at a position is one of the messages', async () => {
  await written(async function* agent(_, context) {
    yield context.delegate('bad');
    yield Message.failed(new NotFoundError('x', { reason: 'gone' }));
    yield 'two';
  }, ['call bad', 'splice a bad', 'error a more gone', 'data a two', 'data a end']);
});

test('a delegated call that was spliced is gone', async () => {
  const told = deferred();
  await written(async function* agent(_, context) {
    const delegated = context.delegate('b');
    yield delegated;
    assert.equal(delegated.isDone, true);
    told.resolve(await failure(delegated.value(), FailedPreconditionError, 'call_spliced'));
    yield delegated;
  }, ['call b', 'splice a b', 'error a call_spliced']);
  assert.equal((await bounded(told.promise)).address, 'b');
});

test('a call is spliced into the one it was delegated for', async () => {
  const first = deferred();
  const agent = async (what, context) => {
    if (what === 'first') {
      first.resolve(context.delegate('b'));
      return new Promise((resolve) => {
        context.signal.addEventListener('abort', resolve);
      });
    }
    return first.promise;
  };
  await hosting({ a: agent }, async (peer) => {
    const id = peer.call('a', '"first"');
    await peer.next('call');
    peer.call('a', '"second"');
    assert.equal((await peer.next('error')).reason, 'bad_splice');
    peer.send({ op: 'cancel', id });
    await peer.next('error');
  });
});

test('an agent that is cancelled splices nothing', async () => {
  const gate = deferred();
  const agent = async (_, context) => {
    const delegated = context.delegate('b');
    await gate.promise;
    return delegated;
  };
  await hosting({ a: agent }, async (peer) => {
    const id = peer.call('a');
    const child = await peer.next('call');
    peer.send({ op: 'cancel', id });
    await peer.nothing();
    gate.resolve();
    const last = [await peer.next(), await peer.next()];
    assert.deepEqual(last.map((each) => [each.op, each.id]), [['error', id], ['cancel', child.id]]);
  });
});

test('a first message in parts is finished before the splice', async () => {
  await hosting({ a: (_, context) => context.delegate('b', 'x'.repeat(2500)) }, async (peer) => {
    const id = peer.call('a');
    const call = await peer.next('call');
    assert.deepEqual([call.input, call.window, call.content.length], [true, 0, 0]);
    for (const size of [1000, 1000, 500]) {
      assert.equal((await peer.next('data')).content.length, size);
    }
    assert.deepEqual([(await peer.next('splice')).id, call.parent], [id, id]);
  }, { welcome: { max_content: 1000 } });
});

test('it is delegated for a call that goes on', async () => {
  const kept = deferred();
  await written(async (_, context) => {
    kept.resolve(context);
  }, ['data a end']);
  const context = await kept.promise;
  await settled();
  assert.throws(() => context.delegate('b'), { reason: 'parent_ended' });
  assert.throws(() => context.delegate('b c', 'x'), InvalidArgumentError);
});
