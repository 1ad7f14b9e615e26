/** Classes as agents: an instance per session, its operations, and its end. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bounded, deferred, until } from './support/bounded.js';
import { hosting, linked } from './support/fake-sidecar.js';

/** A class that tells of its instances in `log`. */
function countingInto(log) {
  return class Counter {
    static operations = {
      add: { input: { type: 'integer' } },
      reset: { type: 'Reset' },
      countUp: {},
      whole: { receives: 'messages' },
    };

    static made = 0;

    total = 0;

    constructor(context) {
      Counter.made += 1;
      this.name = Counter.made;
      log.push(`made ${this.name} for ${context.address}`);
    }

    add(number) {
      this.total += number;
      return this.total;
    }

    reset() {
      this.total = 0;
    }

    async *countUp(last) {
      for (let each = 1; each <= last; each += 1) yield each;
    }

    async whole(messages) {
      const types = [];
      for await (const { type } of messages) types.push(type);
      return types;
    }

    async closed(reason) {
      log.push(`closed ${this.name}: ${reason}`);
    }
  };
}

async function counting(work, options) {
  const log = [];
  const Counter = countingInto(log);
  await hosting({ a: [Counter, options] }, (peer, client, sidecar) =>
    work({ peer, client, sidecar, log }));
}

const add = (peer, to, number, fields = {}) =>
  peer.reply(peer.call(to, `${number}`, { type: 'add', ...fields }));

test('a session keeps its instance, and another has its own', async () => {
  await counting(async ({ peer, log }) => {
    assert.deepEqual(await add(peer, 'a:x', 2, { new: true }), [2]);
    assert.deepEqual(await add(peer, 'a:x', 3), [5]);
    assert.deepEqual(await add(peer, 'a:y', 7, { new: true }), [7]);
    assert.deepEqual(await peer.reply(peer.call('a:x', '', { type: 'Reset' })), []);
    assert.deepEqual(await add(peer, 'a:x', 1), [1]);
    assert.deepEqual(log, ['made 1 for a:x', 'made 2 for a:y']);
  });
});

test('sessions are told apart by their bytes', async () => {
  await counting(async ({ peer }) => {
    assert.deepEqual(await add(peer, 'a:\u00e9', 1), [1]);
    assert.deepEqual(await add(peer, 'a:e\u0301', 1), [1]);
    assert.deepEqual(await add(peer, 'a:x:y', 1), [1]);
    assert.deepEqual(await add(peer, 'a:\u00e9', 1), [2]);
  });
});

test('operations stream, and receive as they say', async () => {
  await counting(async ({ peer }) => {
    const counted = peer.call('a:x', '3', { type: 'countUp' });
    assert.deepEqual(await peer.reply(counted), [1, 2, 3]);
    const id = peer.call('a:x', '', { type: 'whole', input: true });
    peer.send({ op: 'data', id, type: 'A' });
    peer.send({ op: 'data', id, type: 'B', end: true });
    assert.deepEqual(await peer.reply(id), [['A', 'B']]);
  });
});

test('the type of an exchange comes with its first message', async () => {
  await counting(async ({ peer }) => {
    const id = peer.call('a:x', '', { input: true });
    await peer.nothing();
    peer.send({ op: 'data', id, type: 'add' }, '4');
    assert.deepEqual(await peer.reply(id), [4]);
  });
});

test('a type that no operation handles is unimplemented', async () => {
  await counting(async ({ peer, log }) => {
    for (const type of ['subtract', '']) {
      peer.call('a:x', '1', type === '' ? {} : { type });
      const { code, reason, details } = await peer.next('error');
      assert.deepEqual([code, reason], ['unimplemented', 'unhandled_type']);
      assert.deepEqual(details, { type, operations: 'add Reset countUp whole' });
    }
    assert.deepEqual(log, []);
  });
});

test('an only operation handles messages without a type too', async () => {
  class Only {
    static operations = { greet: { type: 'Greeting' } };

    greet(name) {
      return `hello ${name}`;
    }
  }
  await hosting({ a: Only }, async (peer) => {
    assert.deepEqual(await peer.reply(peer.call('a:x', '"ann"')), ['hello ann']);
    assert.deepEqual(await peer.reply(peer.call('a:x', '"b"', { type: 'Greeting' })), ['hello b']);
    peer.call('a:x', '"ann"', { type: 'greet' });
    assert.equal((await peer.next('error')).reason, 'unhandled_type');
  });
});

test('close frees the instance, and is answered when its hook is done', async () => {
  const gate = deferred();
  const reasons = [];
  class Slow {
    static operations = { go: {} };

    go() {}

    async closed(reason) {
      reasons.push(reason);
      await gate.promise;
    }
  }
  await hosting({ a: Slow }, async (peer) => {
    await peer.reply(peer.call('a:x'));
    peer.send({ op: 'close', id: 4, to: 'a:x', reason: 'idle' });
    await peer.nothing();
    assert.deepEqual(reasons, ['idle']);
    gate.resolve();
    assert.equal((await peer.next('ok')).id, 4);
  });
});

test('after close the next message makes a new instance', async () => {
  await counting(async ({ peer, log }) => {
    await add(peer, 'a:x', 5);
    peer.send({ op: 'close', id: 100, to: 'a:x', reason: 'cancelled' });
    await peer.next('ok');
    peer.send({ op: 'call', id: 102, to: 'a:x', type: 'add', window: 999, new: true }, '1');
    assert.deepEqual(await peer.reply(102), [1]);
    assert.deepEqual(log, ['made 1 for a:x', 'closed 1: cancelled', 'made 2 for a:x']);
  });
});

test('a session that is not here is closed at once', async () => {
  await counting(async ({ peer }) => {
    peer.send({ op: 'close', id: 2, to: 'a:nobody', reason: 'idle' });
    assert.equal((await peer.next('ok')).id, 2);
  });
});

test('a hook that fails is logged, and the close answered', async () => {
  const lines = [];
  class Bad {
    static operations = { go: {} };

    go() {}

    closed() {
      throw new Error('stuck');
    }
  }
  const log = (message, error) => lines.push([message, error?.message]);
  await hosting(
    { a: Bad },
    async (peer) => {
      await peer.reply(peer.call('a:x'));
      peer.send({ op: 'close', id: 4, to: 'a:x', reason: 'idle' });
      await peer.next('ok');
      assert.deepEqual(lines, [['closed("idle") of a:x failed', 'stuck']]);
    },
    { log },
  );
});

test('new makes a new instance, and drops one that is still here', async () => {
  await counting(async ({ peer, log }) => {
    await add(peer, 'a:x', 5);
    assert.deepEqual(await add(peer, 'a:x', 1, { new: true }), [1]);
    await until(() => log.length === 3, 'the end of the first');
    assert.deepEqual(log.sort(), ['closed 1: replaced', 'made 1 for a:x', 'made 2 for a:x']);
  });
});

test('a call without a session has an instance of its own', async () => {
  await counting(async ({ peer, log }) => {
    assert.deepEqual(await add(peer, 'a', 1), [1]);
    assert.deepEqual(await add(peer, 'a', 1), [1]);
    await until(() => log.length === 4, 'the end of both');
    assert.deepEqual(log.slice(0, 2), ['made 1 for a', 'closed 1: ended']);
  });
});

test('sessions do not outlive the connection', async () => {
  await counting(async ({ peer, sidecar, log }) => {
    await add(peer, 'a:x', 5);
    peer.abort();
    const next = await sidecar.welcome();
    await next.register('a');
    assert.deepEqual(await add(next, 'a:x', 1), [1]);
    assert.deepEqual(log, ['made 1 for a:x', 'closed 1: connection_lost', 'made 2 for a:x']);
  });
});

test('make makes instances, also later, once for a session', async () => {
  const Counter = countingInto([]);
  const gate = deferred();
  let made = 0;
  const make = async (context) => {
    made += 1;
    await gate.promise;
    return new Counter(context);
  };
  await hosting({ a: [Counter, { make }] }, async (peer) => {
    const first = peer.call('a:x', '1', { type: 'add' });
    const second = peer.call('a:x', '2', { type: 'add' });
    await peer.nothing();
    gate.resolve();
    assert.deepEqual(await peer.reply(first), [1]);
    assert.deepEqual(await peer.reply(second), [3]);
    assert.equal(made, 1);
  });
});

for (const [name, make] of Object.entries({
  'at once': () => {
    throw new TypeError('no database');
  },
  later: () => Promise.reject(new TypeError('no database')),
})) {
  test(`an instance that cannot be made ${name} fails the call, not the next`, async () => {
    const Counter = countingInto([]);
    let tries = 0;
    const trying = (context) => {
      tries += 1;
      return tries === 1 ? make(context) : new Counter(context);
    };
    await hosting({ a: [Counter, { make: trying }] }, async (peer) => {
      peer.call('a:x', '1', { type: 'add', new: true });
      const { code, reason, message, details } = await peer.next('error');
      assert.deepEqual([code, reason, message], ['internal', 'activation_failed', 'no database']);
      assert.equal(details.type, 'TypeError');
      assert.deepEqual(await add(peer, 'a:x', 1), [1]);
    });
  });
}

test('a cancelled call of a session ends when its code does', async () => {
  const gate = deferred();
  const begun = deferred();
  class Stubborn {
    static operations = { go: {} };

    async go() {
      begun.resolve();
      await gate.promise;
    }
  }
  await hosting({ a: Stubborn }, async (peer) => {
    const id = peer.call('a:x');
    await bounded(begun.promise);
    peer.send({ op: 'cancel', id, reason: 'cancelled' });
    await peer.nothing();
    gate.resolve();
    const error = await peer.next('error');
    assert.deepEqual([error.id, error.code], [id, 'cancelled']);
  });
});

const notAgents = [
  ['a text', 'text', /function or a class/],
  ['a class without operations', class {}, /no `static operations`/],
  ['operations of nothing', class { static operations = {}; }, /empty/],
  ['operations that are no methods', class { static operations = { x: {} }; }, /no method/],
  [
    'two operations of one type',
    class {
      static operations = { a: {}, b: { type: 'a' } };

      a() {}

      b() {}
    },
    /two operations/,
  ],
];

for (const [name, target, message] of notAgents) {
  test(`${name} cannot be registered`, async () => {
    await linked(async (client, peer) => {
      await assert.rejects(client.register('a', target), { name: 'TypeError', message });
      await assert.rejects(client.register('a', () => 1, { receives: 'all' }), TypeError);
      await peer.nothing();
    });
  });
}
