/** Agents: what they get, what they answer, and how they fail. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AbortedError, Message, NotFoundError, Part, UnavailableError } from '../src/index.js';
import { bounded, deferred, failure, until } from './support/bounded.js';
import { hosting, linked } from './support/fake-sidecar.js';

const TEXT = { content_type: 'text/plain' };

const gets = [
  ['JSON', '{"a":[1,"é"]}', {}, { a: [1, 'é'] }],
  ['a text', 'é', TEXT, 'é'],
  ['an empty text', '', TEXT, ''],
  ['bytes', Buffer.from([0, 255]), { content_type: 'x/y' }, Buffer.from([0, 255])],
  ['null', 'null', {}, null],
  ['nothing', '', {}, undefined],
  ['a typed message without content', '', { type: 'T' }, null],
];

for (const [name, content, fields, wanted] of gets) {
  test(`an agent gets ${name}`, async () => {
    const got = deferred();
    const agent = (value) => got.resolve([value]);
    await hosting({ a: agent }, async (peer) => {
      const id = peer.call('a', content, fields);
      assert.deepEqual(await peer.reply(id), []);
      assert.deepEqual(await bounded(got.promise), [wanted]);
    });
  });
}

async function* streaming() {
  yield 1;
  yield 'b';
}

function* plainGenerator() {
  yield 1;
  yield 'b';
}

const answers = [
  ['a value', () => ({ a: 1 }), [{ a: 1 }]],
  ['a promise', async () => 'x', ['x']],
  ['nothing', () => undefined, []],
  ['null', () => null, [null]],
  ['an empty text', () => '', []],
  ['an array, as one value', () => [1, 2], [[1, 2]]],
  ['what an async generator yields', streaming, [1, 'b']],
  ['what a generator yields', plainGenerator, [1, 'b']],
  ['an async iterable', async () => streaming(), [1, 'b']],
  ['a thenable', () => ({ then: (resolve) => resolve(5) }), [5]],
  ['a Message', () => Message.of('m', { contentType: 'text/plain' }), ['m']],
];

for (const [name, agent, wanted] of answers) {
  test(`an agent answers ${name}`, async () => {
    await hosting({ a: agent }, async (peer) => {
      assert.deepEqual(await peer.reply(peer.call('a')), wanted);
      assert.deepEqual(await peer.reply(peer.call('a')), wanted);
    });
  });
}

test('one value is one frame with the end in it', async () => {
  await hosting({ a: () => 'x' }, async (peer) => {
    const id = peer.call('a');
    const { content, ...header } = await peer.next('data');
    assert.deepEqual(header, { op: 'data', id, content_type: 'text/plain', end: true });
    assert.equal(content.toString(), 'x');
  });
});

test('pieces are parts of one message, which the next value or the end completes', async () => {
  async function* agent() {
    yield new Part('Drip', { type: 'T' });
    yield new Part('drop');
    yield 'Splash';
    yield new Part(Buffer.from([1]));
  }
  await hosting({ a: agent }, async (peer) => {
    peer.call('a');
    const frames = [];
    do frames.push(await peer.next('data'));
    while (!frames.at(-1).end);
    assert.deepEqual(
      frames.map(({ type, part, end, content }) => [type, part, end, content.toString('latin1')]),
      [
        ['T', true, undefined, 'Drip'],
        [undefined, true, undefined, 'drop'],
        [undefined, undefined, undefined, ''],
        [undefined, undefined, undefined, 'Splash'],
        [undefined, true, undefined, '\x01'],
        [undefined, undefined, true, ''],
      ],
    );
    assert.equal(frames[3].content_type, 'text/plain');
    assert.equal(frames[4].content_type, 'application/octet-stream');
  });
});

test('an error at a position is sent there, and the stream goes on', async () => {
  async function* agent() {
    yield new Part('half');
    yield Message.failed(new NotFoundError('no pear', { reason: 'pear' }));
    yield 2;
  }
  await hosting({ a: agent }, async (peer) => {
    peer.call('a');
    assert.equal((await peer.next('data')).part, true);
    const { content, ...error } = await peer.next('error');
    assert.deepEqual(error, {
      op: 'error',
      id: 2,
      code: 'not_found',
      reason: 'pear',
      message: 'no pear',
      more: true,
    });
    assert.equal((await peer.next('data')).content.toString(), '2');
    assert.equal((await peer.next('data')).end, true);
  });
});

/** An agent that throws this. */
const throwing = (thrown) => () => {
  throw thrown;
};
const BOOM = new TypeError('boom', { cause: new RangeError('why') });
const BIGINT = { causes: 'TypeError: Do not know how to serialize a BigInt' };
const MINE = { code: 'internal', reason: 'agent_error' };

const failures = [
  [
    'an error of a code',
    throwing(new AbortedError('no', { reason: 'why', details: { a: 1 } })),
    { code: 'aborted', reason: 'why', message: 'no', details: { a: 1 } },
  ],
  ['a rejection', () => Promise.reject(new AbortedError('no')), { code: 'aborted', message: 'no' }],
  [
    'another error',
    throwing(BOOM),
    { ...MINE, message: 'boom', details: { type: 'TypeError', causes: 'RangeError: why' } },
  ],
  ['what is no error', throwing(7), { ...MINE, message: '7', details: { type: 'number' } }],
  [
    'an answer that cannot be sent',
    () => 1n,
    { code: 'invalid_argument', reason: 'bad_content', details: BIGINT },
  ],
];

for (const [name, agent, wanted] of failures) {
  test(`an agent fails with ${name}`, async () => {
    await hosting({ a: agent }, async (peer, client) => {
      const id = peer.call('a');
      const { content, op, message, ...error } = await peer.next('error');
      assert.equal(content.length, 0);
      if (wanted.message !== undefined) assert.equal(message, wanted.message);
      const { message: _, ...rest } = wanted;
      assert.deepEqual({ ...error, details: error.details }, { details: undefined, ...rest, id });
      await peer.nothing();
      assert.ok(client.isConnected);
    });
  });
}

test('a generator that fails ends the call behind what it yielded', async () => {
  let isLeft = false;
  async function* agent() {
    try {
      yield 1;
      throw new AbortedError('no');
    } finally {
      isLeft = true;
    }
  }
  await hosting({ a: agent }, async (peer) => {
    peer.call('a');
    assert.equal((await peer.next('data')).content.toString(), '1');
    assert.equal((await peer.next('error')).code, 'aborted');
    assert.ok(isLeft);
  });
});

test('what cannot be sent is thrown into nobody, but ends the generator', async () => {
  const left = deferred();
  async function* agent() {
    try {
      yield () => 1;
    } finally {
      left.resolve();
    }
  }
  await hosting({ a: agent }, async (peer) => {
    peer.call('a');
    assert.equal((await peer.next('error')).reason, 'bad_content');
    await bounded(left.promise);
  });
});

test('what is no JSON does not reach the agent', async () => {
  await hosting({ a: () => assert.fail('it was called') }, async (peer) => {
    peer.call('a', '{');
    const error = await peer.next('error');
    assert.deepEqual([error.code, error.reason], ['invalid_argument', 'bad_content']);
  });
});

test('a call to an agent that is not here may be made elsewhere', async () => {
  await hosting({ a: () => 1 }, async (peer) => {
    peer.call('b:1');
    const error = await peer.next('error');
    assert.deepEqual([error.code, error.reason, error.retry], ['not_found', 'unknown_agent', true]);
  });
});

test('calls run beside one another, and end in any order', async () => {
  const gates = [deferred(), deferred()];
  await hosting({ a: (number) => gates[number].promise }, async (peer) => {
    const [first, second] = [peer.call('a', '0'), peer.call('a', '1')];
    await peer.nothing();
    gates[1].resolve('b');
    assert.deepEqual(await peer.reply(second), ['b']);
    gates[0].resolve('a');
    assert.deepEqual(await peer.reply(first), ['a']);
  });
});

test('a large answer goes in parts', async () => {
  await hosting({ a: () => Buffer.alloc(600_000, 3) }, async (peer) => {
    peer.call('a');
    const sizes = [];
    let isEnded = false;
    while (!isEnded) {
      const { content, end = false, part = false } = await peer.next('data');
      assert.notEqual(end, part);
      sizes.push(content.length);
      isEnded = end;
    }
    assert.deepEqual(sizes, [262_144, 262_144, 75_712]);
  });
});

test('a reply of another is passed on message by message, errors at positions too', async () => {
  const agent = (_, context) => context.stream('b');
  await hosting({ a: agent }, async (peer) => {
    const id = peer.call('a');
    const { id: child, parent } = await peer.next('call');
    assert.equal(parent, id);
    peer.send({ op: 'data', id: child, type: 'T', ext: { x: 1 } }, '1');
    const passed = await peer.next('data');
    assert.deepEqual([passed.id, passed.type, passed.ext], [id, 'T', { x: 1 }]);
    peer.send({ op: 'error', id: child, code: 'aborted', more: true });
    assert.equal((await peer.next('error')).more, true);
    peer.send({ op: 'error', id: child, code: 'unavailable', reason: 'host_lost' });
    const { code, reason, details } = await peer.next('error');
    assert.deepEqual([code, reason, details], ['unavailable', 'host_lost', { agent: 'b' }]);
  });
});

test('an agent that closes its own client does not wait for itself', async () => {
  const closed = deferred();
  await linked(async (client, peer) => {
    const registering = client.register('a', async () => {
      await client.close();
      closed.resolve();
    });
    await peer.register('a');
    await registering;
    peer.call('a');
    await bounded(closed.promise);
    await peer.ended();
  });
});

test('draining lets calls finish, and takes none of its own making', async () => {
  const gate = deferred();
  await hosting({ a: () => gate.promise }, async (peer, client) => {
    const id = peer.call('a');
    await peer.nothing();
    const draining = client.drain({ timeoutMs: 60_000 });
    assert.equal((await peer.next('goodbye')).timeout_ms, 60_000);
    await peer.next('ping');
    const crossing = peer.call('a'); // Sent before the goodbye was read.
    peer.send({ op: 'pong' });
    gate.resolve('done');
    assert.deepEqual(await peer.reply(id), ['done']);
    assert.deepEqual(await peer.reply(crossing), ['done']);
    await bounded(draining);
    await failure(client.call('b'), UnavailableError);
    await until(() => !client.isConnected, 'the end');
  });
});

test('a signal ends draining early', async () => {
  const agent = (_, { signal }) =>
    new Promise((resolve) => {
      signal.addEventListener('abort', resolve);
    });
  await hosting({ a: agent }, async (peer, client) => {
    peer.call('a');
    await peer.nothing();
    const hurry = new AbortController();
    const draining = client.drain({ timeoutMs: 60_000, signal: hurry.signal });
    await peer.next('goodbye');
    hurry.abort();
    await bounded(draining);
  });
});
