/** Signals and runs through a sidecar of their own. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import {
  AbortedError,
  AlreadyExistsError,
  CancelledCallError,
  FailedPreconditionError,
  Interrupted,
  NotFoundError,
  connect,
  local,
} from '../src/index.js';
import { all, bounded, deferred, failure, until } from './support/bounded.js';

let host;
let client;

before(async () => {
  host = await local();
  client = await connect(host.url);
});

after(async () => {
  await client.close();
  await host.close();
});

let agents = 0;

/** Registers an agent for one test; gives its name. */
async function registered(target, options = {}) {
  agents += 1;
  const name = `agent.n${agents}`;
  await host.register(name, target, options);
  return name;
}

/** Counts as long as it is let. */
function counting(gates) {
  return async function* count() {
    for (const [number, gate] of gates.entries()) {
      await gate.promise;
      yield number;
    }
  };
}

/** The first value of a reply, which goes on. */
async function first(reply) {
  return (await bounded(reply[Symbol.asyncIterator]().next())).value;
}

test('an interrupt reaches the run that it is for, and another goes on untouched', async () => {
  const name = await registered(async function* think(_, { signal }) {
    yield 'thinking';
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve);
    });
    yield `in short: ${signal.reason.payload}`;
  });
  const [one, other] = [client.stream(`${name}:1`), client.stream(`${name}:2`)];
  for (const reply of [one, other]) assert.equal(await first(reply), 'thinking');
  await bounded(one.interrupt('be brief'));
  assert.deepEqual(await bounded(all(one)), ['thinking', 'in short: be brief']);
  assert.equal(other.isDone, false);
  await bounded(client.interrupt(`${name}:2`, 'you too'));
  assert.deepEqual(await bounded(all(other)), ['thinking', 'in short: you too']);
  await failure(client.interrupt(`${name}:2`), FailedPreconditionError, 'not_running');
  await failure(client.interrupt(`${name}:3`), NotFoundError, 'unknown_session');
});

test('an interrupt that nobody takes ends the call, down to whom it called', async () => {
  const told = deferred();
  const below = await registered(async (_, { signal }) => {
    signal.addEventListener('abort', () => told.resolve(signal.reason));
    await told.promise;
  });
  const name = await registered((_, context) => context.call(below));
  const value = client.stream(name);
  assert.equal(await running(below), 1);
  await bounded(value.interrupt());
  await failure(value.value(), AbortedError, 'interrupted');
  assert.ok((await bounded(told.promise)) instanceof CancelledCallError);
});

/** How many calls of an agent run, once there are any. */
async function running(name) {
  for (;;) {
    const { calls } = await bounded(client.call('sessions', { limit: 100 }, { type: 'CallList' }));
    const count = calls.filter(({ to, state }) => to === name && state === 'running').length;
    if (count > 0) return count;
  }
}

test('a paused session is given nothing until it is resumed', async () => {
  const got = [];
  const name = await registered((value) => {
    got.push(value);
  });
  await client.call(`${name}:s`, 1);
  await bounded(client.pause(`${name}:s`));
  await client.send(`${name}:s`, 2);
  const waiting = client.call(`${name}:s`, 3);
  await client.call(`${name}:t`, 4);
  assert.deepEqual(got, [1, 4]);
  await bounded(client.resume(`${name}:s`));
  await bounded(waiting);
  assert.deepEqual(got, [1, 4, 2, 3]);
});

test("an agent's own signal overtakes what waits, and its refusal comes back", async () => {
  class Room {
    static operations = { work: {} };

    notes = [];

    gate = deferred();

    async work() {
      await this.gate.promise;
      return this.notes;
    }

    onSignal(name, payload) {
      if (name === 'steer.refuse') throw new AbortedError('no', { reason: 'not_now' });
      if (name === 'steer.go') this.gate.resolve();
      else this.notes.push(payload);
    }
  }
  const name = await registered(Room);
  const working = client.call(`${name}:s`, 0, { type: 'work' });
  await running(`${name}:s`);
  await bounded(client.signal(`${name}:s`, 'steer.note', { x: 1 }));
  await failure(client.signal(`${name}:s`, 'steer.refuse'), AbortedError, 'not_now');
  await bounded(client.signal(name, 'steer.go'));
  assert.deepEqual(await bounded(working), [{ x: 1 }]);
});

test('a run goes on over a lost connection, without a lost or doubled item', async () => {
  const gates = Array.from({ length: 300 }, deferred);
  const name = await registered(counting(gates));
  const reader = await connect(host.url);
  const reply = reader.stream(name, 'x', { run: 'resumed', window: 3000 });
  const reading = all(reply);
  for (const [index, gate] of gates.entries()) {
    if (index % 100 === 50) {
      await until(() => reader.isConnected, 'the connection');
      reader.connection.discard();
    }
    gate.resolve();
    if (index % 10 === 0) await bounded(client.describeRun('resumed'));
  }
  assert.deepEqual(await bounded(reading), [...gates.keys()]);
  await reader.close();
});

test('a run is read by many, early and late, and again', async () => {
  const gates = [deferred(), deferred(), deferred()];
  const name = await registered(counting(gates));
  const opened = client.stream(name, 'x', { run: 'many', detach: true });
  const early = client.attach('many');
  gates[0].resolve();
  assert.equal(await first(early), 0);
  const tail = client.attach('many', { tail: true });
  assert.equal((await bounded(client.describeRun('many'))).state, 'running');
  gates[1].resolve();
  gates[2].resolve();
  assert.deepEqual(await bounded(all(opened)), [0, 1, 2]);
  assert.deepEqual(await bounded(all(early)), [0, 1, 2]);
  assert.deepEqual(await bounded(all(tail)), [1, 2]);
  assert.deepEqual(await bounded(all(client.attach('many'))), [0, 1, 2]);
  assert.deepEqual(await bounded(all(client.attach('many', { from: 2 }))), [2]);
  assert.deepEqual(await bounded(all(client.stream(name, 'x', { run: 'many' }))), [0, 1, 2]);
  await failure(client.call(name, 'y', { run: 'many' }), AlreadyExistsError, 'run_differs');
  const listed = (await client.runs({ state: 'ended' })).find((each) => each.name === 'many');
  assert.deepEqual([listed.to, listed.state, listed.isDetached], [name, 'ended', true]);
  await failure(client.attach('nobody').value(), NotFoundError, 'unknown_run');
});

test('a detached run goes on without readers, and is steered by its name', async () => {
  const name = await registered(async function* work(_, { signal, cancelSignal }) {
    const told = (on) => new Promise((resolve) => {
      on.addEventListener('abort', () => resolve(on.reason));
    });
    yield 'begun';
    const interrupted = await told(signal);
    assert.ok(interrupted instanceof Interrupted);
    yield interrupted.payload;
    await told(cancelSignal);
  });
  const starter = await connect(host.url);
  assert.equal(await first(starter.stream(name, 'x', { run: 'detached', detach: true })), 'begun');
  await starter.close();
  await bounded(client.interrupt({ run: 'detached' }, 'hurry'));
  const reply = client.attach('detached', { from: 1 });
  assert.equal(await first(reply), 'hurry');
  await bounded(client.cancel({ run: 'detached' }));
  await failure(reply.value(), CancelledCallError, 'cancelled');
});
