// side-by-side: every verb once, as clients/README.md has them.
//
//     node examples/side-by-side/side-by-side.mjs

import {
  AbortedError,
  AgentError,
  DeadlineExceededError,
  Interrupted,
  NotFoundError,
  connect,
} from '@coagent/client';

const upper = (text) => text.toUpperCase();

async function* words(text) {
  yield* text.split(' ');
}

async function* mirror(messages) {
  for await (const message of messages) yield `<${message}>`;
}

async function hello(name, context) {
  const loud = await context.call('side.upper', name);
  return `hello ${loud}`;
}

const busy = (_, context) => new Promise((_, reject) => {
  context.signal.addEventListener('abort', () => reject(context.signal.reason));
});

function refuse() {
  throw new AbortedError('not now', { reason: 'busy' });
}

async function* think(question, { signal }) {
  try {
    yield 'thinking';
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    yield `in short: ${error.payload}`;
  }
}

async function* report(text, context) {
  yield 'begin';
  yield context.delegate('side.words', text);
  yield 'end';
}

const front = (text, context) => context.delegate('side.upper', text);

class Counter {
  static operations = { add: { input: { type: 'integer' } } };

  total = 0;

  add(number) {
    this.total += number;
    return this.total;
  }
}

const client = await connect({ name: 'side-by-side' });
await client.register('side.upper', upper, { description: 'Upper-cases a text' });
await client.register('side.words', words);
await client.register('side.mirror', mirror, { receives: 'values' });
await client.register('side.hello', hello);
await client.register('side.busy', busy);
await client.register('side.refuse', refuse);
await client.register('side.counter', Counter, { idleMs: 60_000 });
await client.register('side.thinker', think);
await client.register('side.report', report);
await client.register('side.front', front);

const value = await client.call('side.upper', 'hello', { timeoutMs: 5000 });
console.log('called:', value);
for await (const word of client.stream('side.words', 'one two')) {
  console.log('streamed:', word);
}
const listed = await client.call('side.words', 'one two', { collect: 'list' });
console.log('listed:', listed.length);
const exchange = client.open('side.mirror');
await exchange.send('a');
await exchange.end();
for await (const message of exchange) {
  console.log('both ways:', message);
}
console.log('context:', await client.call('side.hello', 'ann'));
for await (const word of client.stream('side.report', 'one two')) {
  console.log('spliced:', word);
}
console.log('handed over:', await client.call('side.front', 'hello'));

await client.send('side.counter:ann', 2, { type: 'add' });
const total = await client.call('side.counter:ann', 3, { type: 'add' });
console.log('session:', total);
for await (const thought of client.stream('side.thinker:ann', 'why')) {
  console.log('interrupted:', thought);
  if (thought === 'thinking') await client.interrupt('side.thinker:ann', 'be brief');
}
for await (const word of client.stream('side.words', 'one two', { run: 'side-1' })) {
  console.log('run:', word);
}
for await (const word of client.attach('side-1')) {
  console.log('attached:', word);
}

const cards = await client.discover('side', { detailed: true });
console.log('discovered:', cards.length, cards[1].name, cards[1].operations[0].name);
for await (const change of client.watch('side')) {
  console.log('watched:', change.registered.length, change.isSnapshot);
  break;
}

const news = await client.subscribe('side.>');
await client.publish('side.news', 'rain');
for await (const each of news) {
  console.log('published:', each.topic, each.value);
  break;
}

try {
  await client.call('side.nobody');
} catch (error) {
  if (!(error instanceof NotFoundError)) throw error;
  console.log('error:', error.code, error.reason);
}
try {
  await client.call('side.refuse', 'x');
} catch (error) {
  if (!(error instanceof AgentError)) throw error;
  console.log('error:', error.code, error.reason);
}
try {
  await client.call('side.busy', undefined, { timeoutMs: 50 });
} catch (error) {
  if (!(error instanceof DeadlineExceededError)) throw error;
  console.log('late:', error.code);
}
const abort = new AbortController();
const leaving = client.call('side.busy', undefined, { signal: abort.signal });
abort.abort();
await leaving.catch((error) => console.log(error.code));
await client.drain({ timeoutMs: 5000 });
