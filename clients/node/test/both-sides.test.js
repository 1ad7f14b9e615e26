/** Both sides of calls are this client, and between them the real sidecar. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';

import {
  CancelledCallError,
  DeadlineExceededError,
  FailedPreconditionError,
  InternalError,
  InvalidArgumentError,
  Part,
  PermissionDeniedError,
  UnavailableError,
  UnimplementedError,
  connect,
  local,
} from '../src/index.js';
import { all, bounded, deferred, failure } from './support/bounded.js';

let client;
let other;

before(async () => {
  client = await local();
  other = await connect(client.url, { name: 'other' });
});

after(async () => {
  await other.close();
  await client.close();
});

/** Runs with an agent that is called from the other connection. */
async function registered(target, work, options = {}) {
  const name = `test.${Math.random().toString(36).slice(2)}`;
  await using_(await client.register(name, target, options), () => work(name));
}

async function using_(thing, work) {
  try {
    await work();
  } finally {
    await thing[Symbol.asyncDispose]();
  }
}

test('values of every kind go there and back', async () => {
  await registered((value) => value, async (name) => {
    const values = ['', 'é😀\u0000', 0, -1.5, true, null, [], {}, { a: [null] }];
    for (const value of [...values, Buffer.from([0, 255])]) {
      assert.deepEqual(await other.call(name, value), value);
    }
    assert.equal(await other.call(name), null);
  });
});

test('contents of 20 MiB go there and back', async () => {
  await registered((value) => value, async (name) => {
    const content = Buffer.alloc(20 * 1024 * 1024);
    for (let at = 0; at < content.length; at += 4096) content.writeUInt32BE(at, at);
    assert.equal(content.compare(await other.call(name, content)), 0);
  });
});

test('a long stream to a slow reader is whole, and in order', async () => {
  async function* numbers(count) {
    for (let each = 0; each < count; each += 1) yield each;
  }
  await registered(numbers, async (name) => {
    let next = 0;
    for await (const each of other.stream(name, 20_000, { window: 5000 })) {
      assert.equal(each, next);
      next += 1;
    }
    assert.equal(next, 20_000);
  });
});

test('an exchange runs both ways at once', async () => {
  async function* doubling(values) {
    for await (const each of values) yield each * 2;
  }
  await registered(
    doubling,
    async (name) => {
      const exchange = other.open(name, 1);
      const reading = all(exchange);
      for (let each = 2; each <= 5000; each += 1) await exchange.send(each);
      await exchange.end();
      const values = await bounded(reading);
      assert.deepEqual(values, Array.from({ length: 5000 }, (_, each) => (each + 1) * 2));
    },
    { receives: 'values' },
  );
});

test('tokens come as they are made', async () => {
  const gate = deferred();
  async function* tokens() {
    yield new Part('one ');
    await gate.promise;
    yield new Part('two');
  }
  await registered(tokens, async (name) => {
    const reader = other.stream(name).parts();
    assert.equal((await bounded(reader.next())).value, 'one ');
    gate.resolve();
    assert.deepEqual(await bounded(all(reader)), ['two']);
  });
});

test('a cancel goes down the whole chain', async () => {
  const begun = deferred();
  const ended = deferred();
  const leaf = async (_, { signal }) => {
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve);
      begun.resolve();
    });
    ended.resolve(signal.reason);
  };
  await registered(leaf, async (below) => {
    const middle = (_, context) => context.call(below);
    await registered(middle, async (name) => {
      const abort = new AbortController();
      const calling = other.call(name, 1, { signal: abort.signal });
      await bounded(begun.promise);
      abort.abort();
      await failure(calling, CancelledCallError);
      assert.equal((await bounded(ended.promise)).reason, 'parent_ended');
    });
  });
});

test('a deadline ends the call and tells the agent', async () => {
  const told = deferred();
  const agent = async (_, context) => {
    assert.ok(context.timeLeftMs <= 60);
    await new Promise((resolve) => {
      context.signal.addEventListener('abort', resolve);
    });
    told.resolve(context.signal.reason);
  };
  await registered(agent, async (name) => {
    await failure(other.call(name, 1, { timeoutMs: 60 }), DeadlineExceededError, 'deadline');
    assert.ok((await bounded(told.promise)) instanceof DeadlineExceededError);
  });
});

test('errors pass through agents, and say whose they are', async () => {
  const failing = () => {
    throw new TypeError('no price', { cause: new RangeError('unknown fruit') });
  };
  await registered(failing, async (below) => {
    await registered((_, context) => context.call(below), async (name) => {
      const error = await failure(other.call(name), InternalError, 'agent_error');
      const { type, causes, agent } = error.details;
      assert.deepEqual([error.message, type, agent], ['no price', 'TypeError', below]);
      assert.equal(causes, 'RangeError: unknown fruit');
      assert.deepEqual([error.cause.type, error.cause.message], ['RangeError', 'unknown fruit']);
    });
  });
});

test('sessions keep their order and their state', async () => {
  class Recorder {
    static operations = { add: {}, show: {} };

    items = [];

    running = 0;

    most = 0;

    async add(item) {
      this.running += 1;
      this.most = Math.max(this.most, this.running);
      await null;
      this.items.push(item);
      this.running -= 1;
    }

    show() {
      return [this.items, this.most];
    }
  }
  await registered(Recorder, async (name) => {
    const items = Array.from({ length: 200 }, (_, each) => each);
    for (const each of items) await other.send(`${name}:x`, each, { type: 'add', ack: false });
    assert.deepEqual(await other.call(`${name}:x`, 0, { type: 'show' }), [items, 1]);
    await failure(other.call(`${name}:x`, 0, { type: 'hide' }), UnimplementedError);
  });
});

test('a session that would wait for itself is refused', async () => {
  class Selfish {
    static operations = { go: {} };

    go(_, context) {
      return context.call(context.address, 1, { type: 'go' });
    }
  }
  await registered(Selfish, async (name) => {
    const calling = other.call(`${name}:x`, 1, { type: 'go' });
    await failure(calling, FailedPreconditionError, 'call_cycle');
  });
});

test('discovery shows what was registered', async () => {
  const input = { type: 'string' };
  const options = { description: 'D', version: '2', labels: { x: 'y' }, input };
  await registered(async function words() {}, async (name) => {
    const [card] = await other.discover(name, { inclusive: true, detailed: true });
    assert.deepEqual(card, {
      name,
      address: name,
      description: 'D',
      version: '2',
      labels: { x: 'y' },
      operations: [{ name: 'words', description: '', input, streaming: false }],
      replicas: 1,
    });
    assert.equal((await other.discover('test', { labels: { x: 'y' } })).length, 1);
    assert.equal((await other.discover('test', { labels: { x: 'z' } })).length, 0);
    await failure(other.call(name, 5), InvalidArgumentError, 'bad_content');
  }, options);
});

test('a watch sees agents come and go', async () => {
  const watch = other.watch('test.watched', { recursive: true, inclusive: true });
  assert.deepEqual((await bounded(watch.next())).value.registered, []);
  const registration = await client.register('test.watched.a', () => 1);
  const came = (await bounded(watch.next())).value;
  assert.deepEqual(came.registered.map(({ name }) => name), ['test.watched.a']);
  await registration.close();
  assert.deepEqual((await bounded(watch.next())).value.deregistered, ['test.watched.a']);
  await watch.return();
});

test('several agents of a connection call one another', async () => {
  const names = ['test.one', 'test.two', 'test.three'];
  const path = async ([first, ...rest], context) =>
    `${context.sender}>${first === undefined ? '' : await context.call(first, rest)}`;
  const registrations = await Promise.all(names.map((name) => client.register(name, path)));
  const [one, two, three] = names;
  assert.equal(await other.call(one, [two, three]), `>${one}>${two}>`);
  await Promise.all(registrations.map((each) => each.close()));
});

test('names of the sidecar are not to be had', async () => {
  await failure(client.register('sys.mine', () => 1), PermissionDeniedError, 'reserved_name');
});

test('a thousand calls at once are all answered', async () => {
  await registered(async (value) => value + 1, async (name) => {
    const calling = Array.from({ length: 1000 }, (_, each) => other.call(name, each));
    const values = await bounded(Promise.all(calling));
    assert.deepEqual(values, Array.from({ length: 1000 }, (_, each) => each + 1));
  });
});

const program = `
  import { connect } from ${JSON.stringify(new URL('../src/index.js', import.meta.url))};
  const client = await connect();
  const registration = await client.register('test.program', async function* slow(value, context) {
    yield 'begun';
    await new Promise((resolve) => setImmediate(resolve));
    yield value;
  });
  await client.run();
  process.stdout.write('drained');
`;

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`a program that only hosts drains on ${signal} and ends`, async () => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      env: { ...process.env, COAGENT_URL: client.url },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (text) => {
      output += text;
    });
    const exited = new Promise((resolve) => child.on('exit', resolve));
    for await (const { registered: now } of other.watch('test.program', { inclusive: true })) {
      if (now.length > 0) break;
    }
    assert.deepEqual(await bounded(all(other.stream('test.program', 1))), ['begun', 1]);
    child.kill(signal);
    assert.equal(await bounded(exited), 0);
    assert.equal(output, 'drained');
    await failure(other.call('test.program'), UnavailableError);
  });
}

test('a client of a sidecar that shuts down fails what is left, with a code', async () => {
  const own = await local({ arguments: ['--drain-ms', '50'] });
  const guest = await connect(own.url);
  let begin = () => {};
  const begun = new Promise((resolve) => (begin = () => resolve(undefined)));
  await guest.register('a', () => {
    begin();
    return new Promise(() => {});
  });
  const calling = own.call('a');
  calling.catch(() => {});
  // One that no host was given would wait for the next sidecar.
  await bounded(begun);
  process.kill(own.processId, 'SIGTERM');
  await failure(calling, UnavailableError);
  await guest.close();
  await own.close();
});
