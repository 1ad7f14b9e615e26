/** What calls say, and what their callers get. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { InvalidArgumentError, Message } from '../src/index.js';
import { all, bounded, failure } from './support/bounded.js';
import { linked } from './support/fake-sidecar.js';

/** The call frame that a verb writes, without content. */
async function written(verb, body, options) {
  let header;
  await linked(async (client, peer) => {
    const made = client[verb]('a.b:s:1', body, options);
    if (verb === 'call' || verb === 'send') Promise.resolve(made).catch(() => {});
    header = await peer.next();
  });
  return header;
}

const BYTES_TYPE = 'application/octet-stream';
const bodies = [
  ['a text', 'grüezi 😀', 'text/plain', Buffer.from('grüezi 😀')],
  ['an empty text', '', 'text/plain', Buffer.alloc(0)],
  ['a Buffer', Buffer.from([0, 255]), BYTES_TYPE, Buffer.from([0, 255])],
  ['an array of another kind', new Uint16Array([1]), BYTES_TYPE, Buffer.from([1, 0])],
  ['an ArrayBuffer', new Uint8Array([7]).buffer, BYTES_TYPE, Buffer.from([7])],
  ['a part of an array', new Uint8Array([1, 2]).subarray(1), BYTES_TYPE, Buffer.from([2])],
  ['an object', { b: [1, 'é', null] }, undefined, Buffer.from('{"b":[1,"é",null]}')],
  ['a list', [1, 2], undefined, Buffer.from('[1,2]')],
  ['a number', 1.5, undefined, Buffer.from('1.5')],
  ['null', null, undefined, Buffer.from('null')],
  ['false', false, undefined, Buffer.from('false')],
  ['nothing', undefined, undefined, Buffer.alloc(0)],
  ['what says its JSON', new Date(0), undefined, Buffer.from('"1970-01-01T00:00:00.000Z"')],
];

for (const [name, body, contentType, content] of bodies) {
  test(`a call carries ${name}`, async () => {
    const got = await written('call', body);
    assert.equal(got.content_type, contentType);
    assert.deepEqual(got.content, content);
    assert.deepEqual([got.to, got.type, got.input], ['a.b:s:1', undefined, undefined]);
    assert.ok(got.timeout_ms > 20_000 && got.timeout_ms <= 30_000, `${got.timeout_ms}`);
  });
}

const unsendable = [
  ['a lone surrogate', '\ud800'],
  ['a function', () => 1],
  ['a symbol', Symbol('s')],
  ['a BigInt', 1n],
];
const circle = {};
circle.circle = circle;

for (const [name, body] of [...unsendable, ['a circle', circle]]) {
  test(`${name} cannot be sent`, async () => {
    await linked(async (client, peer) => {
      await failure(client.call('a', body), InvalidArgumentError, 'bad_content');
      assert.throws(() => client.stream('a', body), InvalidArgumentError);
      await failure(client.send('a', body), InvalidArgumentError, 'bad_content');
      await peer.nothing();
    });
  });
}

const long = 'x'.repeat(129);
const wrongSessions = ['a:', `a:${long}`, 'a:b c', 'a:\u0085'];
const wrongAddresses = ['', 'a..b', '.a', 'a b', 'ä', long, ...wrongSessions];

for (const address of wrongAddresses) {
  test(`${JSON.stringify(address.slice(0, 9))} is no address`, async () => {
    await linked(async (client, peer) => {
      await failure(client.call(address), InvalidArgumentError, 'bad_address');
      assert.throws(() => client.open(address), { reason: 'bad_address' });
      await failure(client.send(address), InvalidArgumentError, 'bad_address');
      const calling = client.call('a', 1, { sender: address || '?' });
      await failure(calling, InvalidArgumentError, 'bad_address');
      await peer.nothing();
    });
  });
}

const options = [
  ['no end', { timeoutMs: Infinity }, { timeout_ms: undefined }],
  ['type', { type: 'Chat' }, { type: 'Chat' }],
  ['contentType', { contentType: 'text/csv' }, { content_type: 'text/csv' }],
  ['ext', { ext: { a: 'b', n: 1, yes: true } }, { ext: { a: 'b', n: 1, yes: true } }],
  ['trace', { trace: '00-1-2-01' }, { trace: '00-1-2-01' }],
  ['sender', { sender: 'me:1' }, { from: 'me:1' }],
  ['window', { window: 1 }, { window: 1 }],
  ['a window that is none', { window: 0 }, { window: 1 }],
  ['a vast window', { window: Infinity }, { window: 2 ** 31 - 1 }],
  ['the usual window', { window: 1024 * 1024 }, { window: undefined }],
  ['detach', { detach: true }, { detach: true }],
];

for (const [name, given, wanted] of options) {
  test(`${name} is said to the sidecar`, async () => {
    for (const verb of ['call', 'stream', 'open']) {
      const got = await written(verb, 1, given);
      for (const [key, value] of Object.entries(wanted)) assert.deepEqual(got[key], value, verb);
    }
  });
}

test('a time is said in whole milliseconds, as what is left of it', async () => {
  for (const verb of ['call', 'stream', 'open']) {
    const { timeout_ms: left } = await written(verb, 1, { timeoutMs: 12_345.6 });
    assert.ok(Number.isInteger(left) && left > 2000 && left <= 12_346, `${left}`);
  }
});

test('a stream and an exchange have no time unless given', async () => {
  assert.equal((await written('stream')).timeout_ms, undefined);
  const opened = await written('open');
  assert.deepEqual([opened.timeout_ms, opened.input], [undefined, true]);
});

const refusedExts = [
  ...[{ a: 1.5 }, { a: -1 }, { a: null }, { a: {} }, { '': 1 }, { 'a"': 1 }, { a: '\udfff' }],
  { a: 'x'.repeat(8200) },
  Object.fromEntries(Array.from({ length: 65 }, (_, number) => [`k${number}`, number])),
];

for (const ext of refusedExts) {
  test(`ext ${JSON.stringify(ext).slice(0, 20)} is refused`, async () => {
    await linked(async (client, peer) => {
      const error = await failure(client.call('a', 1, { ext }), InvalidArgumentError, 'bad_field');
      assert.ok(error.message);
      await peer.nothing();
    });
  });
}

test('a header over the limit is refused, and the next call goes on', async () => {
  await linked(async (client, peer) => {
    const trace = 'x'.repeat(40_000);
    await failure(client.call('a', 1, { trace }), InvalidArgumentError, 'too_large');
    client.call('a', 2).catch(() => {});
    assert.equal((await peer.next('call')).id, 1);
  });
});

test('a Message says its type, content type and ext, and options say them over', async () => {
  const message = Message.of({ a: 1 }, { type: 'A', ext: { m: 1, n: 1 } });
  const got = await written('call', message, { ext: { n: 2, o: 2 } });
  assert.deepEqual([got.type, got.ext], ['A', { m: 1, n: 1, o: 2 }]);
  assert.equal((await written('call', message, { type: 'B' })).type, 'B');
});

/** What `call` gives for these frames of a reply. */
async function given(...frames) {
  let value;
  await linked(async (client, peer) => {
    const calling = client.call('a');
    const { id } = await peer.next('call');
    for (const [fields, content] of frames) peer.send({ op: 'data', id, ...fields }, content);
    value = await bounded(calling);
  });
  return value;
}

const TEXT = { content_type: 'text/plain' };
const BYTES = { content_type: 'application/octet-stream' };
const END = { end: true };
const CUT = [Buffer.from([0xc3]), Buffer.from([0xa9])];
const replies = [
  ['a value', [[END, '{"a":1}']], { a: 1 }],
  ['none', [[END]], null],
  ['an empty message', [[{}], [END]], null],
  ['an empty text', [[{ ...TEXT, ...END }]], ''],
  ['an empty typed message', [[{ type: 'T', ...END }]], null],
  ['empty bytes', [[{ ...BYTES, ...END }]], Buffer.alloc(0)],
  ['texts joined', [[TEXT, 'a'], [TEXT, 'b'], [{ ...TEXT, ...END }, 'c']], 'abc'],
  ['values listed', [[{}, '1'], [TEXT, 'b'], [END]], [1, 'b']],
  ['nulls listed', [[{}, 'null'], [{}, 'null'], [END]], [null, null]],
  ['bytes', [[{ ...BYTES, ...END }, Buffer.from([1])]], Buffer.from([1])],
  ['parts as one', [[{ part: true, ...TEXT }, 'Drip'], [{}, 'drop'], [END]], 'Dripdrop'],
  ['parts up to the end', [[{ part: true }, '[1,'], [END, '2]']], [1, 2]],
  ['parts up to a bare end', [[{ part: true }, '[1]'], [END]], [1]],
  ['a cut character', [[{ part: true, ...TEXT }, CUT[0]], [END, CUT[1]]], 'é'],
  ['the replacement character', [[{ ...TEXT, ...END }, '\ufffd']], '\ufffd'],
  ['other text', [[{ content_type: 'text/csv; charset=utf-8', ...END }, 'a,b']], 'a,b'],
  ['other JSON', [[{ content_type: 'application/problem+json', ...END }, '{}']], {}],
  ['JSON with a charset', [[{ content_type: 'application/json; charset=utf8', ...END }, '[]']], []],
  ['other content', [[{ content_type: 'image/png', ...END }, 'x']], Buffer.from('x')],
];

for (const [name, frames, wanted] of replies) {
  test(`call gives ${name}`, async () => {
    assert.deepEqual(await given(...frames), wanted);
  });
}

for (const [name, frames] of [
  ['bad JSON', [[END, '{']]],
  ['bad UTF-8 in JSON', [[END, Buffer.from([0x22, 0xff, 0x22])]]],
  ['bad UTF-8 in text', [[{ ...TEXT, ...END }, Buffer.from([0xff])]]],
]) {
  test(`call throws for ${name}`, async () => {
    await failure(given(...frames), InvalidArgumentError, 'bad_content');
  });
}

test('bad content in the middle cancels the call', async () => {
  await linked(async (client, peer) => {
    const calling = client.call('a');
    const { id } = await peer.next('call');
    peer.send({ op: 'data', id }, '{');
    await failure(calling, InvalidArgumentError, 'bad_content');
    assert.equal((await peer.next('cancel')).id, id);
  });
});

test('calls that are in flight together are answered in any order', async () => {
  await linked(async (client, peer) => {
    const calling = Promise.all([1, 2, 3].map((each) => client.call('a', each)));
    const ids = [];
    for (const wanted of [1, 2, 3]) {
      const { id, content } = await peer.next('call');
      assert.equal(content.toString(), `${wanted}`);
      ids.push(id);
    }
    assert.deepEqual(ids, [1, 3, 5]);
    for (const id of ids.reverse()) peer.answer(id, id);
    assert.deepEqual(await bounded(calling), [1, 3, 5]);
  });
});

test('frames of one turn are written together', async () => {
  await linked(async (client, peer) => {
    for (let each = 0; each < 500; each += 1) client.call('a', each).catch(() => {});
    for (let each = 0; each < 500; each += 1) {
      assert.equal((await peer.next('call')).content.toString(), `${each}`);
    }
  });
});

test('discovery is asked as any agent, and its cards are of one shape', async () => {
  await linked(async (client, peer) => {
    const asking = client.discover('x', { recursive: true, labels: { a: 'b' }, detailed: true });
    const got = await peer.next('call');
    assert.deepEqual([got.to, got.type], ['discovery', 'DiscoveryQuery']);
    assert.deepEqual(JSON.parse(got.content), {
      namespace: 'x',
      recursive: true,
      inclusive: false,
      detailed: true,
      labels: { a: 'b' },
    });
    const operations = [{ name: 'O', input: { type: 'string' }, streaming: true }];
    peer.answer(got.id, { revision: 1, agents: [{ name: 'x.y' }, { name: 'x.z', operations }] });
    const [first, second] = await bounded(asking);
    assert.deepEqual(first, {
      name: 'x.y',
      address: 'x.y',
      description: '',
      version: '',
      labels: {},
      operations: [],
      replicas: 0,
    });
    assert.deepEqual(second.operations, [{ ...operations[0], description: '' }]);
  });
});

test('a reply read whole gives the same as a call', async () => {
  await linked(async (client, peer) => {
    const reply = client.stream('a');
    const { id } = await peer.next('call');
    peer.send({ op: 'data', id, ...TEXT }, 'x');
    peer.send({ op: 'data', id, ...TEXT, end: true }, 'y');
    assert.equal(await bounded(reply.value()), 'xy');
    assert.deepEqual(await bounded(all(reply)), ['x', 'y']);
    assert.equal(reply.isDone, true);
  });
});
