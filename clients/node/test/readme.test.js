/** What the README shows is run as it stands. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import * as library from '../src/index.js';
import { bounded } from './support/bounded.js';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const blocks = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);
const AsyncFunction = async function example() {}.constructor;

let sidecar;
let client;

before(async () => {
  sidecar = await library.local();
  process.env.COAGENT_URL = sidecar.url;
  client = await library.connect();
});

after(async () => {
  delete process.env.COAGENT_URL;
  await client.close();
  await sidecar.close();
});

/** Runs the block that has this line, with what it imports; gives the lines that it prints. */
async function run(line, names = {}) {
  const found = blocks.filter((code) => code.includes(line));
  assert.equal(found.length, 1, `one block has ${line}`);
  const code = found[0].replace(/^import .*$/gm, '');
  const printed = [];
  const console = { log: (...each) => printed.push(each.join(' ')) };
  const given = { ...library, ...names, console };
  const example = new AsyncFunction(...Object.keys(given), code);
  await bounded(example(...Object.values(given)), line);
  return printed;
}

test('the quick start', async () => {
  const printed = await run("for await (const word of client.stream('demo.shout'");
  assert.deepEqual(printed, ['HELLO', 'WORLD', 'JOINEDUP', 'not_found unknown_agent']);
});

test('a program that only hosts', async () => {
  const running = run('await client.run()');
  for await (const { registered } of client.watch('words', { inclusive: true })) {
    if (registered.length > 0) break;
  }
  assert.equal(await client.call('words', 'a b'), 'ab');
  process.emit('SIGTERM');
  await running;
});

test('an exchange', async () => {
  async function* interpreter(lines) {
    for await (const line of lines) yield `${line}!`;
  }
  await client.register('interpreter', interpreter, { receives: 'values' });
  assert.deepEqual(await run("client.open('interpreter')", { client }), ['hello!']);
});

test('a topic', async () => {
  assert.deepEqual(await run("client.subscribe('orders.>')", { client }), ['orders.new 4711 12.5']);
});

test('an agent that receives all values', async () => {
  await run("client.register('sum'", { client });
  const exchange = client.open('sum', 1);
  await exchange.send(2.5);
  await exchange.end();
  assert.equal(await exchange.value(), 3.5);
});

test('an agent that calls another', async () => {
  await run("client.register('summary'", { client });
  const registration = await client.register('words', async function* words(text) {
    yield* text.split(' ');
  });
  assert.equal(await client.call('summary', { text: 'a b' }), 'ab');
  await registration.close();
});

test('a class with sessions', async () => {
  await run('static operations', { client });
  assert.equal(await client.call('counter:alice', 3, { type: 'add' }), 5);
  await client.call('counter:alice', undefined, { type: 'Reset' });
  assert.equal(await client.call('counter:alice', 1, { type: 'add' }), 1);
});

test('a private sidecar', async () => {
  assert.deepEqual(await run('await local();'), ['ab']);
});

test('every block is run here', () => {
  assert.equal(blocks.length, 12);
});

test('signals, and an agent that finishes its reply behind an interrupt', async () => {
  const notes = [];
  class Writer {
    static operations = { write: {} };

    async write(_, { signal }) {
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
      return signal.reason.payload;
    }

    onSignal(name, { tone }) {
      notes.push([name, tone]);
    }
  }
  const registration = await client.register('writer', Writer);
  const written = client.stream('writer:ann');
  const running = await client.stream('sessions', { address: 'writer:ann' }, {
    type: 'SessionDescribe',
  }).value();
  assert.equal(running.state, 'running');
  await run("client.pause('writer:ann')", { client });
  assert.equal(await bounded(written.value()), 'be brief');
  assert.deepEqual(notes, [['steer.note', 'dry']]);
  await registration.close();

  const think = async function* think(question, { signal }) {
    yield question;
    await new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  };
  const summary = async (payload) => `in short: ${payload}`;
  await run('yield await summary(error.payload', { client, think, summary });
  const reply = client.stream('writer', 'why?');
  const thoughts = [];
  for await (const thought of reply) {
    if (thoughts.push(thought) === 1) await reply.interrupt('be brief');
  }
  assert.deepEqual(thoughts, ['why?', 'in short: be brief']);
});

test('a run that is read beside whoever began it', async () => {
  const novelist = async function* novelist(what) {
    yield* what.split(' ');
  };
  const registration = await client.register('novelist', novelist);
  assert.deepEqual(await run("client.attach('novel-1')", { client }), [
    'a', 'novel', 'novel-1 ended 3', 'not_running',
  ]);
  await registration.close();
});

test('an agent that delegates its reply', async () => {
  const registrations = [
    await client.register('search', async function* search(topic) {
      yield* [`a ${topic}`, `the ${topic}`];
    }),
    await client.register('digest', (topic) => `all of ${topic}`),
  ];
  await run("context.delegate('search', topic)", { client });
  const told = [];
  for await (const each of client.stream('report', 'rain')) told.push(each);
  assert.deepEqual(told, ['found:', 'a rain', 'the rain', 'all of rain']);
  await Promise.all(registrations.map((each) => each.close()));
});
