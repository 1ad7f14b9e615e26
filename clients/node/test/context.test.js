/** What an agent knows of its call, and the calls that it makes for it. */

import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'node:test';

import {
  CancelledCallError,
  DeadlineExceededError,
  UnavailableError,
  currentContext,
} from '../src/index.js';
import { all, bounded, deferred, failure, settled, until } from './support/bounded.js';
import { hosting } from './support/fake-sidecar.js';

/** The context of a call with these fields, while it is handled. */
async function handled(fields, work, to = 'a.b:s:1') {
  const got = deferred();
  const gate = deferred();
  const agent = (value, context) => {
    got.resolve(context);
    return gate.promise;
  };
  await hosting({ 'a.b': agent }, async (peer, client) => {
    const id = peer.call(to, '', fields);
    await work(await bounded(got.promise), { peer, client, id, gate });
    gate.resolve();
  });
}

test('a context says what the call said', async () => {
  const ext = { x: 1, y: 'z' };
  const fields = { type: 'T', from: 'me:1', trace: '00-1', ext, new: true };
  await handled(fields, async (context) => {
    assert.deepEqual(
      [context.address, context.name, context.session, context.sender, context.type],
      ['a.b:s:1', 'a.b', 's:1', 'me:1', 'T'],
    );
    assert.deepEqual([context.ext, context.trace, context.isNew], [ext, '00-1', true]);
    assert.equal(context.inSession('b.c'), 'b.c:s:1');
    assert.deepEqual([context.isSend, context.isObservation], [false, false]);
    assert.deepEqual([context.deadline, context.timeLeftMs], [undefined, undefined]);
    assert.equal(context.signal.aborted, false);
    assert.throws(() => {
      context.ext.x = 2;
    }, TypeError);
  });
});

test('a context of a bare call has empty words', async () => {
  await handled(
    {},
    async (context) => {
      const words = [context.session, context.sender, context.type, context.trace];
      assert.deepEqual(words, ['', '', '', '']);
      assert.deepEqual([context.ext, context.isNew], [{}, false]);
      assert.equal(context.inSession('b.c'), 'b.c');
    },
    'a.b',
  );
});

test('a send, and an observation, are known as such', async () => {
  await handled({ oneway: true, observe: true }, async (context) => {
    assert.deepEqual([context.isSend, context.isObservation], [true, true]);
  });
});

test('time that is left shrinks, and is never below zero', async () => {
  await handled({ timeout_ms: 40 }, async (context) => {
    assert.ok(context.timeLeftMs > 0 && context.timeLeftMs <= 40);
    assert.ok(Math.abs(context.deadline - Date.now()) <= 1000);
    await until(() => context.timeLeftMs === 0, 'the deadline');
  });
});

for (const [reason, Class] of [
  ['cancelled', CancelledCallError],
  ['caller_lost', CancelledCallError],
  ['deadline', DeadlineExceededError],
]) {
  test(`a cancel for ${reason} aborts the signal, and says so`, async () => {
    await handled({}, async (context, { peer, id, gate }) => {
      const aborted = new Promise((resolve) => {
        context.signal.addEventListener('abort', resolve);
      });
      peer.send({ op: 'cancel', id, reason });
      await bounded(aborted);
      assert.ok(context.signal.reason instanceof Class);
      assert.equal(context.signal.reason.reason, reason);
      gate.resolve('too late');
      assert.equal((await peer.next('error')).code, context.signal.reason.code);
    });
  });
}

test('a signal that is asked for late is aborted already', async () => {
  await handled({}, async (context, { peer, id }) => {
    peer.send({ op: 'cancel', id, reason: 'cancelled' });
    await peer.nothing();
    assert.ok(context.signal.aborted);
    assert.throws(() => context.signal.throwIfAborted(), CancelledCallError);
  });
});

test('the loss of the connection aborts the signal', async () => {
  await handled({}, async (context, { peer, client, gate }) => {
    peer.abort();
    await until(() => context.signal.aborted, 'the loss');
    assert.ok(context.signal.reason instanceof UnavailableError);
    gate.resolve('nobody hears it');
    await settled();
    assert.equal(client.isConnected, false);
  });
});

test('what waits with the signal ends when the call is cancelled', async () => {
  const agent = (_, { signal }) => delay(60_000, undefined, { signal });
  await hosting({ a: agent }, async (peer) => {
    const id = peer.call('a');
    await peer.nothing();
    peer.send({ op: 'cancel', id, reason: 'cancelled' });
    assert.equal((await peer.next('error')).code, 'cancelled');
  });
});

test('a cancelled generator is not resumed, and runs its finally to the end', async () => {
  const log = [];
  const gate = deferred();
  async function* agent() {
    try {
      yield 1;
      log.push('resumed');
    } finally {
      await gate.promise;
      log.push('left');
    }
  }
  await hosting({ a: agent }, async (peer) => {
    const id = peer.call('a', '', { window: 1 });
    await peer.next('data');
    peer.send({ op: 'cancel', id });
    await peer.nothing();
    gate.resolve();
    assert.equal((await peer.next('error')).code, 'cancelled');
    assert.deepEqual(log, ['left']);
  });
});

/** The header that a child call of a call with these fields has. */
async function child(fields, start) {
  let header;
  await handled(fields, async (context, { peer, client, id }) => {
    Promise.resolve(start(context, client)).catch(() => {});
    const { content, ...got } = await peer.next();
    header = { ...got, isChild: got.parent === id };
  });
  return header;
}

const verbs = {
  call: (context) => context.call('b', 1),
  stream: (context) => void context.stream('b', 1),
  open: (context) => void context.open('b', 1),
  send: (context) => context.send('b', 1),
};

for (const [verb, start] of Object.entries(verbs)) {
  test(`${verb} of a context is a child, with its trace and ext`, async () => {
    const got = await child({ trace: '00-1', ext: { a: 1, b: 1 } }, start);
    assert.deepEqual([got.isChild, got.trace, got.ext], [true, '00-1', { a: 1, b: 1 }]);
  });
}

test('a child says its own ext over that of its parent', async () => {
  const got = await child({ ext: { a: 1, b: 1 }, trace: 't' }, (context) =>
    context.call('b', 1, { ext: { b: 2, c: 2 }, trace: 'u', detach: true }));
  assert.deepEqual([got.ext, got.trace, got.detach], [{ a: 1, b: 2, c: 2 }, 'u', true]);
});

test('a call through the client with a parent of its own choice', async () => {
  const given = await child({}, (context, client) => client.call('b', 1, { parent: context }));
  assert.equal(given.isChild, true);
  const none = await child({}, (context, client) => client.call('b', 1, { parent: null }));
  assert.equal(none.parent, undefined);
});

test('calls through the client while a call is handled are its children', async () => {
  const agent = async (value, context) => {
    await settled(); // Across whatever is awaited.
    assert.equal(currentContext(), context);
    return context.session === '' ? 0 : agent.client.call('b', context.session);
  };
  await hosting({ a: agent }, async (peer, client) => {
    agent.client = client;
    const [one, two] = [peer.call('a:one', '', { ext: { n: 1 } }), peer.call('a:two')];
    for (const [id, session, ext] of [[one, 'one', { n: 1 }], [two, 'two', undefined]]) {
      const got = await peer.next('call');
      assert.deepEqual([got.parent, got.content.toString(), got.ext], [id, session, ext]);
      peer.answer(got.id, session);
    }
    assert.deepEqual(await peer.reply(one), ['one']);
    assert.deepEqual(await peer.reply(two), ['two']);
    assert.equal(currentContext(), undefined);
    const outside = client.call('c');
    const got = await peer.next('call');
    assert.equal(got.parent, undefined);
    peer.answer(got.id, 1);
    await bounded(outside);
  });
});

test('what goes on after a call has ended is not its child any more', async () => {
  const gate = deferred();
  const later = deferred();
  const agent = () => {
    gate.promise.then(() => later.resolve(agent.client.call('b')));
    return 'at once';
  };
  await hosting({ a: agent }, async (peer, client) => {
    agent.client = client;
    await peer.reply(peer.call('a', '', { trace: '00-1' }));
    gate.resolve();
    const got = await peer.next('call');
    assert.deepEqual([got.parent, got.trace], [undefined, '00-1']);
    peer.answer(got.id, 'later');
    assert.equal(await bounded(later.promise), 'later');
  });
});

test('a context of a call that has ended makes no children', async () => {
  const got = deferred();
  await hosting({ a: (_, context) => got.resolve(context) }, async (peer) => {
    await peer.reply(peer.call('a'));
    const context = await got.promise;
    await failure(context.call('b'), CancelledCallError, 'parent_ended');
    await failure(context.send('b'), CancelledCallError, 'parent_ended');
    await peer.nothing();
  });
});

test('a connection that is made again belongs to no call', async () => {
  const seen = [];
  const agent = async (_, context) => {
    seen.push(currentContext() === context);
    if (context.session !== '') agent.lose();
    return context.session;
  };
  await hosting({ a: agent }, async (peer, client, sidecar) => {
    agent.lose = () => peer.abort();
    peer.call('a:x');
    const next = await sidecar.welcome();
    await next.register('a');
    await next.reply(next.call('a'));
    const calling = client.call('b');
    assert.equal((await next.next('call')).parent, undefined);
    next.answer(3, 1);
    await bounded(calling);
    assert.deepEqual(seen, [true, true]);
  });
});

test('a context gives the input behind the first message', async () => {
  const agent = async (first, context) => [first, ...(await all(context))];
  const typed = async (first, context) =>
    (await all(context.messages())).map(({ type, value }) => [type, value]);
  await hosting({ a: agent, b: typed }, async (peer) => {
    for (const to of ['a', 'b']) {
      const id = peer.call(to, '1', { input: true });
      peer.send({ op: 'data', id, type: 'T' }, '2');
      peer.send({ op: 'data', id, type: 'U' }, '3');
      peer.send({ op: 'data', id, end: true });
      const wanted = to === 'a' ? [1, 2, 3] : [['T', 2], ['U', 3]];
      assert.deepEqual(await peer.reply(id), [wanted]);
    }
    assert.deepEqual(await peer.reply(peer.call('a', '1')), [[1]]);
    assert.deepEqual(await peer.reply(peer.call('b', '1')), [[]]);
  });
});

const receiving = [
  ['message', (message) => [message.type, message.value], [['T', 1]]],
  ['values', async (values) => all(values), [[1, 2]]],
  ['messages', async (messages) => (await all(messages)).length, [2]],
  ['value', (value) => value, [1]],
];

for (const [receives, agent, wanted] of receiving) {
  test(`an agent may receive the ${receives} of its input`, async () => {
    await hosting({ a: [agent, { receives }] }, async (peer) => {
      const id = peer.call('a', '', { input: true });
      peer.send({ op: 'data', id, type: 'T' }, '1');
      peer.send({ op: 'data', id, end: true }, '2');
      assert.deepEqual(await peer.reply(id), wanted);
    });
  });
}

test('a call without input gives all of it at once', async () => {
  const agent = async (values) => all(values);
  await hosting({ a: [agent, { receives: 'values' }] }, async (peer) => {
    assert.deepEqual(await peer.reply(peer.call('a', '1')), [[1]]);
    assert.deepEqual(await peer.reply(peer.call('a', '')), [[]]);
    const text = { content_type: 'text/plain' };
    assert.deepEqual(await peer.reply(peer.call('a', '', text)), [['']]);
    assert.deepEqual(await peer.reply(peer.call('a', '', { type: 'T' })), [[null]]);
  });
});

test('input that does not fit is thrown into who reads it', async () => {
  const agent = async (values) => all(values);
  const options = { receives: 'values', input: { type: 'integer' } };
  await hosting({ a: [agent, options] }, async (peer) => {
    const id = peer.call('a', '1', { input: true });
    peer.send({ op: 'data', id, end: true }, '"x"');
    assert.equal((await peer.next('error')).reason, 'bad_content');
  });
});

test('input that is cancelled is thrown into who reads it', async () => {
  const thrown = deferred();
  const agent = async (values) => all(values).catch(thrown.resolve);
  await hosting({ a: [agent, { receives: 'values' }] }, async (peer) => {
    const id = peer.call('a', '', { input: true });
    await peer.nothing();
    peer.send({ op: 'cancel', id, reason: 'caller_lost' });
    assert.ok((await bounded(thrown.promise)) instanceof CancelledCallError);
    await peer.next('error');
  });
});
