/** Calls whose replies outlive a connection, and who reads them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  CancelledCallError,
  FailedPreconditionError,
  NotFoundError,
  UnavailableError,
} from '../src/index.js';
import { all, bounded, deferred, failure, until } from './support/bounded.js';
import { hosting, linked } from './support/fake-sidecar.js';

const TEXT = { content_type: 'text/plain' };

/** The next connection's attachment. */
async function attached(sidecar, body) {
  const peer = await sidecar.welcome();
  const { id, to, type, content, ...rest } = await peer.next('call');
  assert.deepEqual([to, type, JSON.parse(content)], ['runs', 'Attach', body]);
  return { peer, id, rest };
}

test('run and detach are said of calls, streams and exchanges', async () => {
  await linked(async (client, peer) => {
    for (const verb of ['call', 'stream', 'open']) {
      const abort = new AbortController();
      const options = { run: 'r1', detach: true, signal: abort.signal };
      const reply = client[verb]('a', 1, options);
      const { run, detach } = await peer.next('call');
      assert.deepEqual([run, detach], ['r1', true]);
      abort.abort();
      await failure(verb === 'call' ? reply : reply.value(), CancelledCallError);
      await peer.next('cancel');
    }
  });
});

test('a run goes on over lost connections, behind the last frame that came', async () => {
  await linked(async (client, first, sidecar) => {
    const reply = client.stream('a', 'x', { run: 'r1', timeoutMs: 60_000 });
    const reader = reply[Symbol.asyncIterator]();
    const { id } = await first.next('call');
    first.send({ op: 'data', id, ...TEXT }, 'one');
    first.send({ op: 'error', id, code: 'aborted', reason: 'between', more: true });
    first.send({ op: 'data', id, part: true, ...TEXT }, 'tw');
    assert.equal((await bounded(reader.next())).value, 'one');
    await first.nothing();
    first.abort();
    const second = await attached(sidecar, { run: 'r1', from: 3, resume: true });
    assert.ok(second.rest.timeout_ms <= 60_000);
    second.peer.send({ op: 'data', id: second.id }, 'o');
    await second.peer.nothing();
    second.peer.abort();
    const third = await attached(sidecar, { run: 'r1', from: 4, resume: true });
    third.peer.send({ op: 'data', id: third.id, end: true, ...TEXT }, 'three');
    await bounded(until(() => reply.isDone));
    const told = await all(reply.messages({ errors: true }));
    assert.deepEqual(told.map((each) => each.error?.reason ?? each.value), [
      'one', 'between', 'two', 'three',
    ]);
  });
});

test('a call of one value resumes likewise', async () => {
  await linked(async (client, first, sidecar) => {
    const value = client.call('a', 'x', { run: 'r1' });
    const { id } = await first.next('call');
    first.send({ op: 'data', id, ...TEXT }, 'one ');
    await first.nothing();
    first.abort();
    const { peer, id: next } = await attached(sidecar, { run: 'r1', from: 1, resume: true });
    peer.send({ op: 'data', id: next, end: true, ...TEXT }, 'two');
    assert.equal(await bounded(value), 'one two');
  });
});

test('its window is what was still permitted, and credit goes on', async () => {
  await linked(async (client, first, sidecar) => {
    const reply = client.stream('a', 'x', { run: 'r1', window: 4000 });
    const reader = reply[Symbol.asyncIterator]();
    const { id } = await first.next('call');
    for (let count = 0; count < 3; count += 1) {
      first.send({ op: 'data', id, ...TEXT }, 'x'.repeat(744));
    }
    await bounded(reader.next());
    await first.nothing();
    first.abort();
    const { peer, id: next, rest } = await attached(sidecar, { run: 'r1', from: 3, resume: true });
    assert.equal(rest.window, 2000);
    await bounded(reader.next());
    await bounded(reader.next());
    const { op, id: credited, bytes } = await peer.next();
    assert.deepEqual([op, credited, bytes], ['credit', next, 2000]);
    await reader.return();
    assert.equal((await peer.next('cancel')).id, next);
  });
});

test('what is read while there is no connection makes room', async () => {
  await linked(async (client, first, sidecar) => {
    const reply = client.stream('a', 'x', { run: 'r1', window: 2000 });
    const reader = reply[Symbol.asyncIterator]();
    const { id } = await first.next('call');
    for (let count = 0; count < 2; count += 1) {
      first.send({ op: 'data', id, ...TEXT }, 'x'.repeat(744));
    }
    await first.nothing();
    first.abort();
    await until(() => !client.isConnected, 'the loss');
    await bounded(reader.next());
    await bounded(reader.next());
    const { peer, id: next, rest } = await attached(sidecar, { run: 'r1', from: 2, resume: true });
    assert.equal(rest.window, 2000);
    peer.send({ op: 'data', id: next, end: true });
    assert.equal((await bounded(reader.next())).done, true);
  });
});

test('a run that is not known any more was lost with the connection', async () => {
  await linked(async (client, first, sidecar) => {
    const reply = client.stream('a', 'x', { run: 'r1' });
    await first.next('call');
    first.abort();
    const { peer, id } = await attached(sidecar, { run: 'r1', from: 0, resume: true });
    peer.send({ op: 'error', id, code: 'not_found', reason: 'unknown_run' });
    const error = await failure(reply.value(), UnavailableError, 'connection_lost');
    assert.deepEqual([error.address, error.cause.reason], ['a', 'unknown_run']);
  });
});

test('an attachment that is refused for now is asked for again', async () => {
  await linked(async (client, first, sidecar) => {
    const reply = client.stream('a', 'x', { run: 'r1' });
    const { id } = await first.next('call');
    first.send({ op: 'data', id, ...TEXT }, 'one');
    await first.nothing();
    first.abort();
    const { peer, id: next } = await attached(sidecar, { run: 'r1', from: 1, resume: true });
    const refusal = { code: 'resource_exhausted', reason: 'too_many_ids', retry: true };
    peer.send({ op: 'error', id: next, ...refusal });
    const { id: again, content } = await peer.next('call');
    assert.deepEqual(JSON.parse(content), { run: 'r1', from: 1, resume: true });
    peer.send({ op: 'data', id: again, end: true });
    assert.equal(await bounded(reply.value()), 'one');
  });
});

test('a client that is closed ends them', async () => {
  await linked(async (client, peer) => {
    const reply = client.stream('a', 'x', { run: 'r1' });
    await peer.next('call');
    await client.close();
    await failure(reply.value(), UnavailableError, 'connection_lost');
  });
});

test('who leaves while there is no connection reads no more', async () => {
  await linked(async (client, peer, sidecar) => {
    const reply = client.stream('a', 'x', { run: 'r1' });
    await peer.next('call');
    peer.abort();
    await until(() => !client.isConnected, 'the loss');
    reply.cancel();
    await failure(reply.value(), CancelledCallError, 'cancelled');
    await (await sidecar.welcome()).nothing();
  });
});

test('the time that is left ends it between connections too', async () => {
  await linked(async (client, peer, sidecar) => {
    const value = client.call('a', 'x', { run: 'r1', timeoutMs: 100 });
    await peer.next('call');
    await sidecar.stop();
    assert.equal((await failure(value, Error)).code, 'deadline_exceeded');
  });
});

test("an exchange's input ends with its connection, and its reply goes on", async () => {
  await linked(async (client, first, sidecar) => {
    const exchange = client.open('a', undefined, { run: 'r1' });
    await first.next('call');
    await bounded(exchange.send('x'));
    await first.next('data');
    first.abort();
    const { peer, id, rest } = await attached(sidecar, { run: 'r1', from: 0, resume: true });
    assert.equal(rest.input, undefined);
    await failure(exchange.send('y'), UnavailableError, 'connection_lost');
    await bounded(exchange.end());
    peer.send({ op: 'data', id, end: true, ...TEXT }, 'done');
    assert.equal(await bounded(exchange.value()), 'done');
  });
});

test('a message that was still going out in parts is not resumed', async () => {
  await linked(async (client, peer) => {
    const reply = client.stream('a', Buffer.alloc(2 * 1024 * 1024), { run: 'r1' });
    assert.equal((await peer.next('call')).run, 'r1');
    await peer.next('data');
    peer.abort();
    await failure(reply.value(), UnavailableError, 'connection_lost');
  }, { welcome: { max_content: 1000 } });
});

test('a run of a call that is lost is lost, unless it is detached', async () => {
  const got = deferred();
  const agent = async (_, context) => {
    const bound = context.stream('b', 'x', { run: 'r1' });
    const detached = context.stream('b', 'x', { run: 'r2', detach: true });
    got.resolve({ bound, detached });
    await new Promise((resolve) => {
      context.signal.addEventListener('abort', resolve);
    });
  };
  await hosting({ a: agent }, async (peer, _, sidecar) => {
    peer.call('a');
    await peer.next('call');
    await peer.next('call');
    const { bound, detached } = await got.promise;
    peer.abort();
    await failure(bound.value(), UnavailableError, 'connection_lost');
    const next = await sidecar.welcome();
    await next.register('a');
    const { id, content, parent } = await next.next('call');
    assert.equal(parent, undefined);
    assert.deepEqual(JSON.parse(content), { run: 'r2', from: 0, resume: true });
    next.send({ op: 'data', id, end: true, ...TEXT }, 'x');
    assert.equal(await bounded(detached.value()), 'x');
  });
});

test('a run is read from its first frame, from a later one, or from now on', async () => {
  await linked(async (client, peer, sidecar) => {
    for (const [options, body] of [
      [undefined, { run: 'r1', from: 0 }],
      [{ from: 7, window: 1, timeoutMs: 5000 }, { run: 'r1', from: 7 }],
      [{ tail: true }, { run: 'r1', tail: true }],
    ]) {
      const reply = client.attach('r1', options);
      const call = await peer.next('call');
      assert.deepEqual([call.to, call.type, JSON.parse(call.content)], ['runs', 'Attach', body]);
      assert.equal(call.window, options?.window);
      assert.equal(call.timeout_ms > 0, options?.timeoutMs !== undefined);
      peer.send({ op: 'data', id: call.id, end: true, ...TEXT }, 'x');
      assert.equal(await bounded(reply.value()), 'x');
    }
    const later = client.attach('r1', { from: 7 });
    const { id } = await peer.next('call');
    peer.send({ op: 'data', id, ...TEXT }, 'x');
    await peer.nothing();
    peer.abort();
    const next = await attached(sidecar, { run: 'r1', from: 8 });
    next.peer.send({ op: 'data', id: next.id, end: true, ...TEXT }, 'y');
    assert.equal(await bounded(later.value()), 'xy');
  });
});

test('who tails does so again if nothing came, and else is told of the loss', async () => {
  await linked(async (client, first, sidecar) => {
    const reply = client.attach('r1', { tail: true });
    await first.next('call');
    first.abort();
    const { peer, id } = await attached(sidecar, { run: 'r1', tail: true });
    peer.send({ op: 'data', id, ...TEXT }, 'x');
    await peer.nothing();
    peer.abort();
    await failure(reply.value(), UnavailableError, 'connection_lost');
  });
});

test('what there is no more of is said', async () => {
  await linked(async (client, peer) => {
    for (const [error, Class] of [
      [{ code: 'not_found', reason: 'unknown_run' }, NotFoundError],
      [{ code: 'failed_precondition', reason: 'truncated', details: { first: 9 } },
        FailedPreconditionError],
    ]) {
      const reply = client.attach('r1');
      peer.send({ op: 'error', id: (await peer.next('call')).id, ...error });
      const thrown = await failure(reply.value(), Class, error.reason);
      assert.deepEqual(thrown.details, error.details ?? {});
    }
  });
});

const LISTED = {
  run: 'a', to: 'b:1', type: 'T', state: 'ended', frames: 9, first: 4, bytes: 800, readers: 1,
  detached: true, age_ms: 90, ended_ms: 40, code: 'aborted', principal: 'uid 0',
};
const RUN = {
  name: 'a', to: 'b:1', type: 'T', state: 'ended', frames: 9, first: 4, bytes: 800, readers: 1,
  isDetached: true, ageMs: 90, endedMs: 40, code: 'aborted', principal: 'uid 0',
};

test('runs are listed, page by page, and described', async () => {
  await linked(async (client, peer) => {
    const listing = client.runs({ state: 'ended' });
    const first = await peer.next('call');
    assert.deepEqual([first.to, first.type, JSON.parse(first.content)], [
      'runs', 'RunList', { limit: 1000, state: 'ended' },
    ]);
    peer.answer(first.id, { runs: [LISTED], more: true });
    const second = await peer.next('call');
    assert.deepEqual(JSON.parse(second.content), { limit: 1000, after: 'a', state: 'ended' });
    const open = { ...LISTED, run: 'b', state: 'running', ended_ms: 0, code: '' };
    peer.answer(second.id, { runs: [open], more: false });
    assert.deepEqual(await bounded(listing), [
      RUN, { ...RUN, name: 'b', state: 'running', endedMs: undefined, code: '' },
    ]);
    const describing = client.describeRun('a');
    const { id, type, content } = await peer.next('call');
    assert.deepEqual([type, JSON.parse(content)], ['RunDescribe', { run: 'a' }]);
    peer.answer(id, LISTED);
    assert.deepEqual(await bounded(describing), RUN);
  });
});
