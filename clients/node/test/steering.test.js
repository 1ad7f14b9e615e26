/** Signals that a client sends, and what becomes of them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  CancelledCallError,
  DeadlineExceededError,
  FailedPreconditionError,
  InvalidArgumentError,
  NotFoundError,
  UnimplementedError,
} from '../src/index.js';
import { bounded, failure, until } from './support/bounded.js';
import { hosting, linked } from './support/fake-sidecar.js';

/** The signal that a verb writes; it is answered. */
async function sent(verb, fields) {
  await linked(async (client, peer) => {
    const sending = verb(client);
    const { op, id, content, ...signal } = await peer.next();
    assert.deepEqual([op, { ...signal, content: `${content}` }], ['signal', fields]);
    peer.send({ op: 'ok', id });
    assert.equal(await bounded(sending), undefined);
  });
}

for (const [what, verb, fields] of [
  ["an agent's own, to a session", (client) => client.signal('a:s', 'steer.note', { x: 1 }), {
    name: 'steer.note', to: 'a:s', content: '{"x":1}',
  }],
  ["an agent's own, to a run", (client) => client.signal({ run: 'r1' }, 'steer.note', 'x'), {
    name: 'steer.note', run: 'r1', content_type: 'text/plain', content: 'x',
  }],
  ['an interrupt', (client) => client.interrupt('a:s', 'be brief'), {
    name: 'interrupt', to: 'a:s', content_type: 'text/plain', content: 'be brief',
  }],
  ['an interrupt without a payload', (client) => client.interrupt({ run: 'r1' }), {
    name: 'interrupt', run: 'r1', content: '',
  }],
  ['a cancel', (client) => client.cancel('a:s', { sender: 'b:c' }), {
    name: 'cancel', to: 'a:s', from: 'b:c', content: '',
  }],
  ['a pause', (client) => client.pause('a:s'), { name: 'pause', to: 'a:s', content: '' }],
  ['a resume', (client) => client.resume('a:s'), { name: 'resume', to: 'a:s', content: '' }],
]) {
  test(`${what} is written, and over when it is answered`, () => sent(verb, fields));
}

test('a reply and an exchange signal their own call', async () => {
  await linked(async (client, peer) => {
    const reply = client.stream('a');
    const exchange = client.open('b');
    const ids = [(await peer.next('call')).id, (await peer.next('call')).id];
    const sending = [reply.interrupt('x'), exchange.signal('steer.note', 1)];
    for (const [index, name] of ['interrupt', 'steer.note'].entries()) {
      const signal = await peer.next('signal');
      assert.deepEqual([signal.name, signal.call, signal.to], [name, ids[index], undefined]);
      peer.send({ op: 'ok', id: signal.id });
    }
    await bounded(Promise.all(sending));
    peer.send({ op: 'data', id: ids[0], end: true });
    assert.equal(await bounded(reply.value()), null);
    await failure(reply.interrupt(), FailedPreconditionError, 'not_running');
  });
});

test('a call that is not written yet cannot be signalled', async () => {
  await linked(async (client, peer, sidecar) => {
    peer.send({ op: 'goodbye' });
    await peer.nothing();
    const reply = client.stream('a');
    await failure(reply.interrupt(), FailedPreconditionError, 'not_running');
    peer.close();
    const next = await sidecar.welcome();
    await next.next('call');
    reply.cancel();
  });
});

test('the error of whom it could not be given to is thrown', async () => {
  await linked(async (client, peer) => {
    const sending = client.interrupt('a:s');
    const { id } = await peer.next('signal');
    peer.send({ op: 'error', id, code: 'not_found', reason: 'unknown_session', message: 'no' });
    const error = await failure(sending, NotFoundError, 'unknown_session');
    assert.equal(error.address, 'a:s');
  });
});

test('one that says retry is sent again', async () => {
  await linked(async (client, peer) => {
    const sending = client.signal('a:s', 'x.y');
    const { id } = await peer.next('signal');
    const refusal = { code: 'resource_exhausted', reason: 'too_many_signals', retry: true };
    peer.send({ op: 'error', id, ...refusal });
    const again = await peer.next('signal');
    assert.ok(again.id > id);
    peer.send({ op: 'ok', id: again.id });
    await bounded(sending);
  });
});

test('without ack it has no id', async () => {
  await linked(async (client, peer) => {
    await bounded(client.signal('a:s', 'x.y', 1, { ack: false }));
    assert.equal((await peer.next('signal')).id, undefined);
  });
});

test('who no longer waits takes the id back', async () => {
  await linked(async (client, peer) => {
    const stop = new AbortController();
    const left = client.pause('a:s', { signal: stop.signal });
    const first = await peer.next('signal');
    stop.abort(new Error('enough'));
    assert.equal((await failure(left, CancelledCallError)).cause.message, 'enough');
    assert.equal((await peer.next('cancel')).id, first.id);
    const late = client.pause('a:s', { timeoutMs: 20 });
    const second = await peer.next('signal');
    await failure(late, DeadlineExceededError);
    assert.equal((await peer.next('cancel')).id, second.id);
  });
});

test('a signal from an agent is its child', async () => {
  await hosting({ a: (_, context) => context.interrupt('b:s', 'x') }, async (peer) => {
    const id = peer.call('a');
    const signal = await peer.next('signal');
    assert.deepEqual([signal.parent, signal.to, `${signal.content}`], [id, 'b:s', 'x']);
    peer.send({ op: 'ok', id: signal.id });
    assert.deepEqual(await peer.reply(id), []);
  });
});

test('it goes out while the sidecar drains, and waits while there is none', async () => {
  await linked(async (client, peer, sidecar) => {
    peer.send({ op: 'goodbye' });
    await peer.nothing();
    const draining = client.resume('a:s');
    const { id } = await peer.next('signal');
    peer.send({ op: 'ok', id });
    await bounded(draining);
    peer.close();
    await until(() => !client.isConnected, 'the loss');
    const waiting = client.resume('b:s');
    const next = await sidecar.welcome();
    const signal = await next.next('signal');
    assert.equal(signal.to, 'b:s');
    next.send({ op: 'ok', id: signal.id });
    await bounded(waiting);
  });
});

test('a sidecar that knows no signals gets none', async () => {
  await linked(async (client, peer) => {
    await failure(client.pause('a:s'), UnimplementedError, 'no_signals');
    await peer.nothing();
  }, { welcome: { features: '' } });
});

test('a signal concerns somebody', async () => {
  await linked(async (client, peer) => {
    await failure(client.interrupt({}), InvalidArgumentError, 'missing_field');
    await failure(client.interrupt(), InvalidArgumentError, 'missing_field');
    await failure(client.interrupt('a b'), InvalidArgumentError, 'bad_address');
    await peer.nothing();
  });
});
