/** Values, schemas and quoting by themselves. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { InvalidArgumentError, Message, Part } from '../src/index.js';
import { decodeKept, encode, joinKept, keep } from '../src/content.js';
import { errorHeader } from '../src/error-header.js';
import { flatObject, quoted } from '../src/quoting.js';
import { mismatch } from '../src/schema.js';
import { bounded, failure } from './support/bounded.js';
import { linked } from './support/fake-sidecar.js';

const person = {
  type: 'object',
  required: ['name'],
  properties: { name: { type: 'string' }, age: { type: 'integer' } },
};
const tree = {
  type: 'array',
  items: { type: 'object', properties: { kind: { enum: ['a', { b: 1 }] } } },
};

const fits = [
  [undefined, 1],
  [true, 1],
  [{}, { any: 'thing' }],
  [{ type: 'string' }, ''],
  [{ type: 'integer' }, 3],
  [{ type: 'number' }, 0.5],
  [{ type: 'boolean' }, false],
  [{ type: 'null' }, null],
  [{ type: 'null' }, undefined],
  [{ type: ['string', 'null'] }, null],
  [{ type: 'array' }, []],
  [{ type: 'array', items: false }, []],
  [person, { name: 'a', other: 1 }],
  [person, { name: 'a', age: 3 }],
  [tree, [{ kind: 'a' }, { kind: { b: 1 } }, {}]],
  [{ type: 'later' }, 1],
  [{ minimum: 5 }, 1],
];

for (const [schema, value] of fits) {
  test(`${JSON.stringify(value)} fits ${JSON.stringify(schema)}`, () => {
    assert.equal(mismatch(schema, value), undefined);
  });
}

const misfits = [
  [false, 1, '$ is not wanted'],
  [{ type: 'string' }, 1, '$ is number, not string'],
  [{ type: 'integer' }, 1.5, '$ is number, not integer'],
  [{ type: 'number' }, '1', '$ is string, not number'],
  [{ type: 'object' }, [], '$ is array, not object'],
  [{ type: 'object' }, null, '$ is null, not object'],
  [{ type: 'object' }, Buffer.from('x'), '$ is bytes, not object'],
  [{ type: ['string', 'null'] }, 1, '$ is number, not string or null'],
  [person, {}, '$ has no name'],
  [person, Object.create({ name: 'inherited' }), '$ has no name'],
  [person, { name: 'a', age: 'b' }, '$.age is string, not integer'],
  [tree, [{}, { kind: 'c' }], '$[1].kind is none of ["a",{"b":1}]'],
];

for (const [schema, value, wanted] of misfits) {
  test(`${JSON.stringify(value)} does not fit ${JSON.stringify(schema)}`, () => {
    const { path, message } = mismatch(schema, value);
    assert.equal(`${path} ${message}`, wanted);
  });
}

const roundTrips = ['', 'é', '\u0000', 'x'.repeat(5000), '€'.repeat(5000), { é: '😀' }, [1], null];

for (const value of [...roundTrips, Buffer.alloc(5000, 255), Buffer.from([128])]) {
  test(`a kept ${JSON.stringify(value)?.slice(0, 16)} is what it was`, () => {
    const { content, contentType } = encode(value);
    const bytes = Buffer.from(content);
    const kept = keep(bytes, 0, bytes.length);
    bytes.fill(0xee);
    assert.deepEqual(decodeKept(kept, contentType), value);
    assert.deepEqual(new Message(kept, { contentType }).value, value);
    const single = [...Buffer.from(content)].map((byte) => Buffer.from([byte]));
    const pieces = single.map((byte) => keep(byte, 0, 1));
    if (pieces.length > 0) assert.deepEqual(decodeKept(joinKept(pieces), contentType), value);
  });
}

test('small and large pieces are joined', () => {
  const large = keep(Buffer.alloc(5000, 0x61), 0, 5000);
  const joined = joinKept([keep(Buffer.from('é'), 0, 2), large, keep(Buffer.from('é'), 0, 2)]);
  assert.equal(decodeKept(joined, 'text/plain'), `é${'a'.repeat(5000)}é`);
});

test('a message says what it is made of', () => {
  const message = Message.of({ a: 1 }, { type: 'A', contentType: 'application/x+json' });
  assert.deepEqual(
    [message.type, message.contentType, message.content.toString(), message.value, message.ext],
    ['A', 'application/x+json', '{"a":1}', { a: 1 }, {}],
  );
  assert.deepEqual(Message.of(message).value, { a: 1 });
  assert.equal(Message.of(message, { type: 'B' }).type, 'B');
  assert.equal(Message.of('x').contentType, 'text/plain');
  assert.equal(Message.of(undefined).content.length, 0);
  assert.equal(new Message(Buffer.from('1')).value, 1);
  assert.equal(new Part('x', { type: 'T' }).type, 'T');
});

test('strings of headers are quoted, lone surrogates refused', () => {
  assert.equal(quoted('"\\\n\u0001é😀'), '"\\"\\\\\\n\\u0001é😀"');
  for (const text of ['\ud800', 'a\udc00b']) {
    assert.throws(() => quoted(text), { reason: 'bad_field' });
  }
});

test('flat objects are spelled without spaces, and bounded', () => {
  const values = { text: 'a"b', n: 0, most: Number.MAX_SAFE_INTEGER, yes: true, no: false };
  const spelled = '{"text":"a\\"b","n":0,"most":9007199254740991,"yes":true,"no":false}';
  assert.equal(flatObject(values, 'ext'), spelled);
  for (const value of [-0, -1, 0.5, NaN, 2 ** 53, null, undefined, [], {}]) {
    assert.throws(() => flatObject({ value }, 'ext'), { details: { field: 'ext' } });
  }
  assert.throws(() => flatObject({ a: 'x'.repeat(8192) }, 'ext'), { reason: 'bad_field' });
});

test('the header of an error is within its limits, whatever was thrown', () => {
  const details = Object.fromEntries(
    Array.from({ length: 100 }, (_, number) => [`key${number}`, '\u0001'.repeat(500)]),
  );
  const thrown = Object.assign(new Error('\u0001'.repeat(9000)), { details });
  for (const error of [thrown, new Error('x', { cause: thrown })]) {
    const header = errorHeader(2, error, { retry: true });
    assert.ok(Buffer.byteLength(header) <= 32_768);
    const { id, code, retry } = JSON.parse(header);
    assert.deepEqual([id, code, retry], [2, 'internal', true]);
  }
});

/** What a call gives of these messages. */
async function collected(messages, collect, verb = 'call') {
  let given;
  await linked(async (client, peer) => {
    const asked = verb === 'call' ? client.call('a', 1, { collect }) : client.stream('a', 1);
    const { id } = await peer.next('call');
    for (const [content, type] of messages) {
      peer.send({ op: 'data', id, ...(type && { content_type: type }) }, content);
    }
    peer.send({ op: 'data', id, end: true });
    given = bounded(verb === 'call' ? asked : asked.value({ collect }));
    await given.catch(() => {});
  });
  return given;
}

const TEXTS = [['Hi ', 'text/plain'], ['there', 'text/plain']];
const BYTES = [['a', 'application/octet-stream'], ['b', 'application/octet-stream']];

for (const verb of ['call', 'stream']) {
  test(`${verb}: one value is made of several as its caller says`, async () => {
    assert.equal(await collected(TEXTS, 'join', verb), 'Hi there');
    assert.deepEqual(await collected(BYTES, 'join', verb), Buffer.from('ab'));
    assert.equal(await collected([], 'join', verb), '');
    assert.deepEqual(await collected(TEXTS, 'list', verb), ['Hi ', 'there']);
    assert.deepEqual(await collected([['1']], 'list', verb), [1]);
    assert.deepEqual(await collected([], 'list', verb), []);
    assert.deepEqual(await collected([['1'], ['[2]']], 'last', verb), [2]);
    assert.equal(await collected([], 'last', verb), null);
    const mixed = collected([...TEXTS, ['1']], 'join', verb);
    await failure(mixed, InvalidArgumentError, 'bad_content');
  });
}
