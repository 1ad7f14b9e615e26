/** Signals that come for agents here: interrupts, and agents' own. */

import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'node:test';

import { AbortedError, Interrupted } from '../src/index.js';
import { bounded, deferred, failure, settled } from './support/bounded.js';
import { hosting } from './support/fake-sidecar.js';

const TEXT = { content_type: 'text/plain' };

/** Interrupts a call, and sees the client take it. */
async function interrupt(peer, call, payload = '', fields = {}) {
  const id = peer.signal('interrupt', { call, ...(payload !== '' && TEXT), ...fields }, payload);
  await peer.took(id);
}

test('an interrupt aborts the signal with its payload, and the reply may be finished', async () => {
  const agent = async (_, context) => {
    const caught = await failure(delay(60_000, undefined, { signal: context.signal }), Error);
    const { reason } = context.signal;
    assert.equal(caught.cause, reason);
    assert.ok(reason instanceof Interrupted && reason instanceof AbortedError);
    assert.equal(reason, context.interrupted);
    return `in short: ${reason.payload}, ${reason.sender}`;
  };
  await hosting({ a: agent }, async (peer) => {
    const id = peer.call('a');
    await interrupt(peer, id, 'be brief', { from: 'boss' });
    assert.deepEqual(await peer.reply(id), ['in short: be brief, boss']);
  });
});

for (const [what, agent] of [
  ['the reason itself', (_, { signal }) => new Promise((_yes, no) => {
    signal.addEventListener('abort', () => no(signal.reason));
  })],
  ['what the signal made of it', (_, { signal }) => delay(60_000, undefined, { signal })],
  ['an error with it as a cause', (_, { signal }) => new Promise((_yes, no) => {
    signal.addEventListener('abort', () => no(new Error('x', { cause: signal.reason })));
  })],
]) {
  test(`an agent that lets ${what} through ends aborted`, async () => {
    await hosting({ a: agent }, async (peer) => {
      const id = peer.call('a');
      await interrupt(peer, id);
      const { code, reason, ...rest } = await peer.next('error');
      assert.deepEqual([rest.id, code, reason], [id, 'aborted', 'interrupted']);
    });
  });
}

test('a signal that is asked for behind an interrupt is aborted already', async () => {
  const gate = deferred();
  const agent = async (_, context) => {
    await gate.promise;
    return [context.signal.aborted, context.signal.reason.payload, context.cancelSignal.aborted];
  };
  await hosting({ a: agent }, async (peer) => {
    const id = peer.call('a');
    await interrupt(peer, id, '[1]', { content_type: 'application/json' });
    gate.resolve();
    assert.deepEqual(await peer.reply(id), [[true, [1], false]]);
  });
});

test('child calls in flight end, and new ones work', async () => {
  const agent = async (_, context) => {
    const reply = context.stream('words');
    const error = await failure(context.call('b'), Interrupted, 'interrupted');
    assert.equal(reply.error, error);
    return context.call('c', error.payload);
  };
  await hosting({ a: agent }, async (peer) => {
    const id = peer.call('a');
    const children = [await peer.next('call'), await peer.next('call')];
    const signal = peer.signal('interrupt', { call: id, ...TEXT }, 'stop');
    await peer.took(signal);
    for (const child of children) assert.equal((await peer.next('cancel')).id, child.id);
    const later = await peer.next('call');
    assert.deepEqual([later.to, later.parent, `${later.content}`], ['c', id, 'stop']);
    peer.answer(later.id, 'done');
    assert.deepEqual(await peer.reply(id), ['done']);
  });
});

test('a generator that stands at a yield gets it there, credit or none', async () => {
  const agent = async function* agent() {
    try {
      yield 'one';
      yield 'two';
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      yield `in short: ${error.payload}`;
    }
    yield 'three';
  };
  await hosting({ a: agent }, async (peer) => {
    const id = peer.call('a', '', { window: 1 });
    assert.equal(`${(await peer.next('data')).content}`, 'one');
    await interrupt(peer, id, 'x');
    peer.send({ op: 'credit', id, bytes: 10_000 });
    assert.deepEqual(await peer.reply(id), ['in short: x', 'three']);
  });
});

test('a generator that lets it through ends aborted, and runs its finally', async () => {
  const left = deferred();
  const agent = function* agent() {
    try {
      for (;;) yield 'more';
    } finally {
      left.resolve();
    }
  };
  await hosting({ a: agent }, async (peer) => {
    const id = peer.call('a', '', { window: 1 });
    await peer.next('data');
    await interrupt(peer, id);
    assert.equal((await peer.next('error')).reason, 'interrupted');
    await bounded(left.promise);
  });
});

test('a generator gets it where a copied stream stands', async () => {
  const agent = async function* agent(_, context) {
    try {
      yield context.stream('b');
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      yield `in short: ${error.payload}`;
    }
  };
  await hosting({ a: agent }, async (peer) => {
    const id = peer.call('a');
    const child = await peer.next('call');
    peer.send({ op: 'data', id: child.id, ...TEXT }, 'one');
    assert.equal(`${(await peer.next('data')).content}`, 'one');
    await interrupt(peer, id, 'x');
    assert.equal((await peer.next('cancel')).id, child.id);
    assert.deepEqual(await peer.reply(id), ['in short: x']);
  });
});

test('a returned stream that is copied ends with it', async () => {
  await hosting({ a: (_, context) => context.stream('b') }, async (peer) => {
    const id = peer.call('a');
    const child = await peer.next('call');
    await interrupt(peer, id);
    assert.equal((await peer.next('cancel')).id, child.id);
    assert.equal((await peer.next('error')).reason, 'interrupted');
  });
});

test('a call whose instance is still being made ends aborted, and is not run', async () => {
  const gate = deferred();
  class Slow {
    static operations = { work: {} };

    work() {
      assert.fail('it was run');
    }
  }
  const make = async () => {
    await gate.promise;
    return new Slow();
  };
  await hosting({ a: [Slow, { make }] }, async (peer) => {
    const id = peer.call('a:s');
    await interrupt(peer, id);
    await peer.nothing();
    gate.resolve();
    assert.equal((await peer.next('error')).reason, 'interrupted');
  });
});

test('another run of the same agent goes on untouched', async () => {
  const agent = async (name, { signal }) => {
    await delay(60_000, undefined, { signal }).catch(() => {});
    return `${name} ${signal.reason.payload}`;
  };
  await hosting({ a: agent }, async (peer) => {
    const ids = ['"first"', '"second"'].map((each) => peer.call('a', each));
    await interrupt(peer, ids[1], 'stop');
    assert.deepEqual(await peer.reply(ids[1]), ['second stop']);
    await peer.nothing();
    await interrupt(peer, ids[0], 'too');
    assert.deepEqual(await peer.reply(ids[0]), ['first too']);
  });
});

test('a second interrupt is noted and disturbs nothing', async () => {
  const agent = async (_, context) => {
    await delay(60_000, undefined, { signal: context.signal }).catch(() => {});
    const first = context.signal.reason.payload;
    await context.call('b');
    return [first, context.signal.reason.payload, context.interrupted.payload];
  };
  await hosting({ a: agent }, async (peer) => {
    const id = peer.call('a');
    await interrupt(peer, id, 'one');
    const child = await peer.next('call');
    await interrupt(peer, id, 'two');
    peer.answer(child.id, 0);
    assert.deepEqual(await peer.reply(id), [['one', 'one', 'two']]);
  });
});

test('a cancel behind an interrupt is heard of', async () => {
  const agent = async (_, { signal, cancelSignal }) => {
    await delay(60_000, undefined, { signal }).catch(() => {});
    await delay(60_000, undefined, { signal: cancelSignal });
  };
  await hosting({ a: agent }, async (peer) => {
    const id = peer.call('a');
    await interrupt(peer, id);
    peer.send({ op: 'cancel', id, reason: 'deadline' });
    assert.equal((await peer.next('error')).code, 'deadline_exceeded');
  });
});

test('a call whose input is not there yet ends aborted', async () => {
  await hosting({ a: async () => 'ran' }, async (peer) => {
    const id = peer.call('a', '', { input: true });
    await interrupt(peer, id);
    assert.equal((await peer.next('error')).reason, 'interrupted');
  });
});

test('a call that has ended counts as told', async () => {
  await hosting({ a: () => 1 }, async (peer) => {
    const id = peer.call('a');
    assert.deepEqual(await peer.reply(id), [1]);
    await interrupt(peer, id);
  });
});

test('a signal for a call that never was is not to be trusted', async () => {
  await hosting({ a: () => 1 }, async (peer) => {
    peer.signal('interrupt', { call: 8 });
    assert.equal((await peer.next('error')).reason, 'bad_id');
    await peer.ended();
  });
});

test('a hook is told beside the call, which is not disturbed', async () => {
  const told = deferred();
  const gate = deferred();
  const agent = async (_, context) => {
    await gate.promise;
    return [context.signal.aborted, context.interrupted.payload];
  };
  const onInterrupt = (payload, context) => told.resolve([payload, context.address]);
  await hosting({ a: [agent, { onInterrupt }] }, async (peer) => {
    const id = peer.call('a');
    await interrupt(peer, id, 'x');
    assert.deepEqual(await bounded(told.promise), ['x', 'a']);
    gate.resolve();
    assert.deepEqual(await peer.reply(id), [[false, 'x']]);
  });
});

for (const [how, onInterrupt] of [
  ['throws', () => {
    throw new RangeError('boom');
  }],
  ['is rejected', async () => {
    await settled();
    throw new RangeError('boom');
  }],
]) {
  test(`a hook that ${how} ends the call with that`, async () => {
    const agent = async (_, { signal }) => delay(60_000, undefined, { signal });
    await hosting({ a: [agent, { onInterrupt }] }, async (peer) => {
      const id = peer.call('a');
      await interrupt(peer, id);
      const { code, message, details } = await peer.next('error');
      assert.deepEqual([code, message, details.type], ['internal', 'boom', 'RangeError']);
    });
  });
}

/** An agent that is a class, which keeps what it is told. */
class Room {
  static operations = { think: {}, told: {} };

  #told = [];

  async think(_, context) {
    await new Promise((resolve) => {
      this.resolve = resolve;
    });
    return context.signal.aborted;
  }

  told() {
    return this.#told;
  }

  async onSignal(name, payload, { sender, address, context }) {
    await settled();
    if (payload === 'no') throw new AbortedError('not now', { reason: 'not_now' });
    this.#told.push([name, payload ?? null, sender, address, context?.type ?? null]);
  }

  onInterrupt(payload, { interrupted }) {
    this.#told.push([payload, interrupted.sender]);
    this.resolve();
  }
}

test("an instance's own methods take interrupts and signals, beside what runs", async () => {
  const nobody = { onSignal: assert.fail, onInterrupt: assert.fail };
  await hosting({ a: [Room, nobody] }, async (peer) => {
    const id = peer.call('a:s', '', { type: 'think' });
    await peer.took(peer.signal('steer.note', { to: 'a:s', from: 'boss:1', ...TEXT }, 'x'));
    await peer.took(peer.signal('steer.note', { call: id }));
    const refused = peer.signal('steer.note', { to: 'a:s', ...TEXT }, 'no');
    const { id: refusedId, code, reason } = await peer.next('error');
    assert.deepEqual([refusedId, code, reason], [refused, 'aborted', 'not_now']);
    await interrupt(peer, id, '', { from: 'boss:1' });
    assert.deepEqual(await peer.reply(id), [false]);
    assert.deepEqual(await peer.reply(peer.call('a:s', '', { type: 'told' })), [[
      ['steer.note', 'x', 'boss:1', 'a:s', null],
      ['steer.note', null, '', 'a:s', 'think'],
      [null, 'boss:1'],
    ]]);
  });
});

test("a signal to a name goes to the agent's hook, else to every instance", async () => {
  const names = [];
  const onSignal = (name) => names.push(name);
  await hosting({ f: [() => 1, { onSignal }], a: Room }, async (peer) => {
    await peer.took(peer.signal('x.one', { to: 'f' }));
    await peer.took(peer.signal('x.two', { to: 'f:s' }));
    assert.deepEqual(names, ['x.one', 'x.two']);
    for (const to of ['a:s', 'a:t']) await peer.reply(peer.call(to, '', { type: 'told' }));
    await peer.took(peer.signal('x.all', { to: 'a' }));
    for (const to of ['a:s', 'a:t']) {
      const [told] = await peer.reply(peer.call(to, '', { type: 'told' }));
      assert.deepEqual(told, [['x.all', null, '', 'a', null]]);
    }
  });
});

test('what nothing takes is refused', async () => {
  const agent = async (_, { signal }) => delay(60_000, undefined, { signal });
  await hosting({ f: agent }, async (peer) => {
    const id = peer.call('f');
    for (const [fields, reason] of [
      [{ to: 'f' }, 'unhandled_signal'],
      [{ call: id }, 'unhandled_signal'],
      [{ to: 'g:s' }, 'not_running'],
    ]) {
      const signal = peer.signal('x.y', fields);
      const error = await peer.next('error');
      assert.deepEqual([error.id, error.reason], [signal, reason]);
    }
    peer.signal('interrupt', { call: id }, '{');
    assert.equal((await peer.next('error')).reason, 'bad_content');
    peer.send({ op: 'cancel', id, reason: 'cancelled' });
    await peer.next('error');
  });
});

test('an instance that is still being made gets its signal when it is there', async () => {
  const gate = deferred();
  const told = [];
  const make = async () => {
    await gate.promise;
    return { work: () => told, onSignal: (name) => told.push(name) };
  };
  class Slow {
    static operations = { work: {} };

    work() {}
  }
  await hosting({ a: [Slow, { make }] }, async (peer) => {
    const id = peer.call('a:s');
    const signal = peer.signal('x.y', { to: 'a:s' });
    await peer.nothing();
    gate.resolve();
    const answers = [await peer.next(), await peer.next()];
    assert.deepEqual(answers.map((each) => each.op).sort(), ['data', 'ok']);
    assert.deepEqual([signal > id, told], [true, ['x.y']]);
  });
});
