/** Replies that agents delegate to others, through a sidecar of their own. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import {
  CancelledCallError,
  DeadlineExceededError,
  FailedPreconditionError,
  InternalError,
  NotFoundError,
  Part,
  connect,
  local,
  outOfOrder,
} from '../src/index.js';
import { all, bounded, deferred, failure } from './support/bounded.js';

let host;
let other;
let client;

before(async () => {
  host = await local();
  other = await connect(host.url);
  client = await connect(host.url);
});

after(async () => {
  await client.close();
  await other.close();
  await host.close();
});

let agents = 0;

/** Registers an agent for one test, by turns in two processes' stead; gives its name. */
async function registered(target, options = {}) {
  agents += 1;
  const name = `agent.n${agents}`;
  await (agents % 2 === 0 ? host : other).register(name, target, options);
  return name;
}

/** What a stream gives, with the reasons of errors in their places. */
async function told(name, body) {
  const messages = client.stream(name, body).messages({ errors: true });
  const got = await bounded(all(messages), 'the reply');
  return got.map((each) => (each.error === undefined ? each.value : `! ${each.error.reason}`));
}

test('flattening: replies stand where they were delegated, and run side by side', async () => {
  const begun = [deferred(), deferred()];
  const agent1 = await registered(async function* agent1() {
    begun[0].resolve();
    yield 'm1';
    await begun[1].promise;
    yield 'm2';
  });
  const agent2 = await registered(async function* agent2() {
    begun[1].resolve();
    await begun[0].promise;
    yield 'm3';
  });
  const outer = await registered(async function* outer(_, context) {
    yield 'A1';
    yield context.delegate(agent1);
    yield context.delegate(agent2);
    yield 'A2';
  });
  assert.deepEqual(await told(outer), ['A1', 'm1', 'm2', 'm3', 'A2']);
});

test('flattening: what is out of order does not wait', async () => {
  const gate = deferred();
  const slow = await registered(async function* slow() {
    await gate.promise;
    yield 'slow';
  });
  const outer = await registered(async function* outer(_, context) {
    yield context.delegate(slow);
    yield 'after-slow';
    yield outOfOrder('urgent');
    yield outOfOrder(context.delegate(slow));
  });
  const got = [];
  for await (const each of client.stream(outer)) {
    got.push(each);
    gate.resolve(); // Only now does any of the slow ones answer.
  }
  assert.deepEqual(got, ['urgent', 'slow', 'slow', 'after-slow']);
});

test('flattening: an error stands in its place, and the rest follows', async () => {
  const bad = await registered(async function* bad() {
    yield 'one';
    throw new RangeError('x');
  });
  const outer = await registered(async function* outer(_, context) {
    yield context.delegate(bad);
    yield context.delegate('agent.nobody');
    yield 'two';
  });
  assert.deepEqual(await told(outer), ['one', '! agent_error', '! unknown_agent', 'two']);
  const values = client.stream(outer)[Symbol.asyncIterator]();
  assert.equal((await bounded(values.next())).value, 'one');
  const error = await failure(values.next(), InternalError, 'agent_error');
  assert.deepEqual([error.message, error.details.type], ['x', 'RangeError']);
});

test('a chain of handoffs answers as its last one does', async () => {
  const last = await registered(async function* last(text) {
    yield new Part('wh');
    yield new Part(`ole ${text}`);
    yield { json: true };
  });
  const middle = await registered((text, context) => context.delegate(last, `${text}!`));
  const outer = await registered(async function* outer(text, context) {
    yield 'first';
    return context.delegate(middle, text);
  });
  assert.deepEqual(await told(outer, 'x'), ['first', 'whole x!', { json: true }]);
  const failing = await registered((_, context) => context.delegate('agent.nobody'));
  await failure(client.call(failing), NotFoundError, 'unknown_agent');
});

test('who handed over is free, and may go', async () => {
  const gate = deferred();
  const below = await registered(async () => {
    await gate.promise;
    return 'done';
  });
  const leaving = await connect(host.url);
  await leaving.register('agent.leaving', (_, context) => context.delegate(below));
  const calls = [client.call('agent.leaving:s'), client.call('agent.leaving:s')];
  // One at a time in a session: the second begins once the first was handed over.
  for (;;) {
    const { calls: open } = await client.call('sessions', {}, { type: 'CallList' });
    const running = open.filter(({ to, state }) => to === below && state === 'running');
    if (running.length === 2) break;
  }
  await bounded(leaving.close());
  gate.resolve();
  assert.deepEqual(await bounded(Promise.all(calls)), ['done', 'done']);
});

test('what is delegated is paced by its reader, and ends with it', async () => {
  let made = 0;
  const left = deferred();
  const endless = await registered(async function* endless() {
    try {
      for (;;) {
        made += 1;
        yield Buffer.alloc(1000);
      }
    } finally {
      left.resolve();
    }
  });
  const outer = await registered(async function* outer(_, context) {
    yield context.delegate(endless);
  });
  let taken = 0;
  for await (const each of client.stream(outer, 'x', { window: 10_000 })) {
    taken += each.length / 1000;
    if (taken === 500) break;
  }
  await bounded(left.promise);
  assert.ok(made < taken + 1000, `${made} were made for ${taken}`);
});

test('the time of the call is that of what it delegates', async () => {
  const below = await registered(async (_, { cancelSignal }) => {
    await new Promise((resolve) => {
      cancelSignal.addEventListener('abort', resolve);
    });
  });
  const outer = await registered((_, context) => context.delegate(below));
  await failure(client.call(outer, 'x', { timeoutMs: 100 }), DeadlineExceededError, 'deadline');
  const reply = client.stream(outer);
  reply.cancel();
  await failure(reply.value(), CancelledCallError);
});

test('handing over in a circle ends', async () => {
  const name = `agent.n${agents + 1}`;
  await registered((_, context) => context.delegate(name));
  await failure(client.call(name), FailedPreconditionError, 'call_depth');
});

test('a plain stream is the same, copied', async () => {
  const inner = await registered(async function* inner() {
    yield 'one';
    yield new Part('t');
    yield new Part('wo');
    yield 'three';
    throw new RangeError('x');
  });
  const outer = await registered(async function* outer(_, context) {
    yield context.stream(inner);
    yield 'behind';
    return context.stream(inner);
  });
  const messages = client.stream(outer).messages({ errors: true });
  const got = [];
  const copying = (async () => {
    for await (const each of messages) got.push(each.error?.reason ?? each.value);
  })();
  await failure(copying, InternalError, 'agent_error');
  const inners = ['one', 'two', 'three'];
  assert.deepEqual(got, [...inners, 'agent_error', 'behind', ...inners]);
});
