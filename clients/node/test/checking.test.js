/** What agents get and answer, held to their schemas: by a light check, or by the user's own. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Message, Part, outOfOrder } from '../src/index.js';
import { hosting } from './support/fake-sidecar.js';

const NAMED = {
  type: 'object',
  required: ['items'],
  properties: { items: { type: 'array', items: { type: 'string', maxLength: 2 } } },
};

/** As a schema library does it: findings with JSON Pointers. Knows `maxLength` and `maximum`. */
function validate(value, schema) {
  const findings = [];
  const look = (each, { maxLength, maximum, items, properties = {} }, instancePath) => {
    if (each?.length > maxLength) findings.push({ instancePath, message: 'is too long' });
    if (each > maximum) findings.push({ instancePath, message: 'is too much' });
    if (items) each.forEach((item, index) => look(item, items, `${instancePath}/${index}`));
    for (const [key, inner] of Object.entries(properties)) {
      const name = key.replaceAll('~', '~0').replaceAll('/', '~1');
      look(each[key], inner, `${instancePath}/${name}`);
    }
  };
  look(value, schema, '');
  return findings;
}

/** What a call with this value is refused with, or its replies. */
async function answered(agent, options, value) {
  let told;
  await hosting({ a: [agent, options] }, async (peer) => {
    peer.call('a', JSON.stringify(value));
    const replies = [];
    for (;;) {
      const { op, code, reason, message, details, content, end } = await peer.next();
      if (op === 'error') {
        told = { code, reason, message, path: details.path, replies };
        return;
      }
      if (content.length > 0) replies.push(`${content}`);
      if (end) break;
    }
    told = replies;
  });
  return told;
}

test('the light check says where a message is wrong', async () => {
  const options = { input: NAMED };
  assert.deepEqual(await answered(() => 1, options, { items: ['a', 'long'] }), ['1']);
  assert.deepEqual(await answered(assert.fail, options, { items: ['a', 7] }), {
    code: 'invalid_argument',
    reason: 'bad_content',
    message: 'the message.items[1] is number, not string',
    path: '$.items[1]',
    replies: [],
  });
});

test("the user's own validator takes its place, and is given value and schema", async () => {
  const options = { input: NAMED, validate };
  assert.deepEqual(await answered(() => 1, options, { items: ['a'] }), ['1']);
  assert.deepEqual(await answered(assert.fail, options, { items: ['a', 'long'] }), {
    code: 'invalid_argument',
    reason: 'bad_content',
    message: 'the message.items[1] is too long',
    path: '$.items[1]',
    replies: [],
  });
});

test('keys with a slash or a tilde are named as they are', async () => {
  const input = { properties: { 'a/b~c': { maximum: 1 } } };
  const { path } = await answered(assert.fail, { input, validate }, { 'a/b~c': 2 });
  assert.equal(path, '$.a/b~c');
});

test('findings may be plain words, or nothing', async () => {
  const words = { input: true, validate: () => ['is not wanted'] };
  const { message, path } = await answered(assert.fail, words, 1);
  assert.deepEqual([message, path], ['the message is not wanted', '$']);
  for (const nothing of [undefined, null, []]) {
    const options = { input: NAMED, validate: () => nothing };
    assert.deepEqual(await answered(() => 1, options, 7), ['1']);
  }
});

test('every message of the input is looked at', async () => {
  const agent = async (values) => {
    let sum = 0;
    for await (const each of values) sum += each;
    return sum;
  };
  const options = { receives: 'values', input: { maximum: 5 }, validate };
  await hosting({ a: [agent, options] }, async (peer) => {
    const id = peer.call('a', '', { input: true });
    peer.answer(id, 5, {});
    peer.answer(id, 6, {});
    const { reason, message } = await peer.next('error');
    assert.deepEqual([reason, message], ['bad_content', 'the message is too much']);
  });
});

test('replies are looked at where that is asked for', async () => {
  const output = { type: 'integer', maximum: 5 };
  const plain = () => 'x';
  assert.deepEqual(await answered(plain, { output }, 1), ['x']);
  const told = { code: 'internal', reason: 'bad_reply', path: '$', replies: [] };
  assert.deepEqual(await answered(plain, { output, validate: true }, 1), {
    ...told,
    message: 'the reply is string, not integer',
  });
  assert.deepEqual(await answered(() => 6, { output, validate }, 1), {
    ...told,
    message: 'the reply is too much',
  });
  assert.deepEqual(await answered(() => undefined, { output, validate: true }, 1), []);
});

test('each of many is looked at, but no pieces', async () => {
  const agent = async function* agent(value) {
    yield 1;
    yield Message.of(2);
    yield outOfOrder(3);
    yield new Part('pie');
    yield value;
  };
  const options = { output: { type: 'integer', maximum: 5 }, validate };
  assert.deepEqual(await answered(agent, options, 5), ['1', '2', '3', 'pie', '5']);
  const { reason, replies } = await answered(agent, options, 6);
  assert.deepEqual([reason, replies], ['bad_reply', ['1', '2', '3', 'pie']]);
});

test('an operation of a class may say otherwise than its registration', async () => {
  class Both {
    static operations = {
      light: { input: { maximum: 5 }, validate: false },
      own: { input: { maximum: 5 } },
    };

    light() {
      return 1;
    }

    own() {
      return 2;
    }
  }
  await hosting({ a: [Both, { validate }] }, async (peer) => {
    assert.deepEqual(await peer.reply(peer.call('a', '6', { type: 'light' })), [1]);
    peer.call('a', '6', { type: 'own' });
    assert.equal((await peer.next('error')).reason, 'bad_content');
  });
});
