/** Sends that wait for their mailbox, and watches over reconnects. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  CancelledCallError,
  DeadlineExceededError,
  InvalidArgumentError,
  NotFoundError,
  PermissionDeniedError,
  ResourceExhaustedError,
  UnavailableError,
} from '../src/index.js';
import { bounded, failure, settled, until } from './support/bounded.js';
import { linked } from './support/fake-sidecar.js';

test('a send says what it is, and resolves when it is in the mailbox', async () => {
  await linked(async (client, peer) => {
    const sending = client.send('a:x', { n: 1 }, {
      type: 'T',
      observe: true,
      timeoutMs: 9000,
      ext: { e: 1 },
      trace: 't',
      sender: 'me',
    });
    const { content, ...header } = await peer.next('send');
    assert.deepEqual(header, {
      op: 'send',
      id: 1,
      to: 'a:x',
      type: 'T',
      from: 'me',
      trace: 't',
      ext: { e: 1 },
      observe: true,
      timeout_ms: 9000,
    });
    assert.equal(content.toString(), '{"n":1}');
    peer.send({ op: 'ok', id: 1 });
    assert.equal(await bounded(sending), undefined);
  });
});

test('a send without an answer has no id', async () => {
  await linked(async (client, peer) => {
    await bounded(client.send('a', 'x', { ack: false }));
    const { id, content } = await peer.next('send');
    assert.deepEqual([id, content.toString()], [undefined, 'x']);
    const options = { ack: false, type: 'T'.repeat(40_000) };
    await failure(client.send('a', 'x', options), InvalidArgumentError, 'too_large');
    await peer.nothing();
  });
});

test('sends without an answer wait for a socket that takes nothing', async () => {
  await linked(async (client, peer) => {
    peer.pause();
    const content = Buffer.alloc(65_536);
    let sent = 0;
    const sending = (async () => {
      for (; sent < 200; sent += 1) await client.send('a', content, { ack: false });
    })();
    for (let turn = 0; turn < 100; turn += 1) await settled();
    assert.ok(sent > 0 && sent < 100, `${sent}`);
    peer.resume();
    await bounded(sending);
    for (let count = 0; count < 200; count += 1) await peer.next('send');
  });
});

test('a send that is refused throws, with the address', async () => {
  await linked(async (client, peer) => {
    const sending = client.send('a:1');
    const { id } = await peer.next('send');
    peer.send({ op: 'error', id, code: 'not_found', reason: 'unknown_agent' });
    assert.equal((await failure(sending, NotFoundError)).address, 'a:1');
  });
});

test('a send that a full mailbox refused is made again', async () => {
  await linked(async (client, peer) => {
    const sending = client.send('a');
    const full = { op: 'error', code: 'resource_exhausted', reason: 'mailbox_full', retry: true };
    for (const id of [1, 3, 5]) {
      assert.equal((await peer.next('send')).id, id);
      peer.send({ ...full, id });
    }
    peer.send({ op: 'ok', id: (await peer.next('send')).id });
    await bounded(sending);
    const failing = client.send('a');
    for (let count = 0; count < 4; count += 1) {
      peer.send({ ...full, id: (await peer.next('send')).id });
    }
    await failure(failing, ResourceExhaustedError, 'mailbox_full');
  });
});

test('a send that is lost with its connection fails', async () => {
  await linked(async (client, peer) => {
    const sending = client.send('a');
    await peer.next('send');
    peer.abort();
    await failure(sending, UnavailableError, 'connection_lost');
  });
});

test('a send is not waited for longer than its time, or its signal', async () => {
  await linked(async (client, peer) => {
    const late = client.send('a', 1, { timeoutMs: 30 });
    await failure(late, DeadlineExceededError, 'deadline');
    const abort = new AbortController();
    const given = client.send('a', 1, { signal: abort.signal });
    await peer.next('send');
    await peer.next('send');
    abort.abort('enough');
    assert.equal((await failure(given, CancelledCallError)).cause, 'enough');
    peer.send({ op: 'ok', id: 1 }); // Too late for whoever waited: dropped.
    peer.send({ op: 'ok', id: 3 });
    await peer.nothing();
  });
});

test('a send without a connection waits for one', async () => {
  await linked(async (client, peer, sidecar) => {
    peer.abort();
    await until(() => !client.isConnected, 'the loss');
    const abort = new AbortController();
    const given = client.send('a', 1, { signal: abort.signal });
    abort.abort();
    await failure(given, CancelledCallError);
    const sending = client.send('a', 2, { ack: false });
    const next = await sidecar.welcome();
    assert.equal((await next.next('send')).content.toString(), '2');
    await bounded(sending);
  });
});

const agent = (name) => ({ name, description: '' });

test('a watch tells of a snapshot, and then of changes', async () => {
  await linked(async (client, peer) => {
    const watch = client.watch('x', { recursive: true, fromRevision: 3 });
    const call = await peer.next('call');
    assert.deepEqual([call.to, call.type], ['discovery', 'DiscoveryWatch']);
    assert.equal(call.timeout_ms, undefined);
    assert.equal(JSON.parse(call.content).from_revision, 3);
    const { id } = call;
    peer.answer(id, { revision: 4, agents: [agent('x.a')] }, { type: 'DiscoverySnapshot' });
    const first = (await bounded(watch.next())).value;
    assert.deepEqual([first.revision, first.isSnapshot], [4, true]);
    assert.equal(first.registered[0].name, 'x.a');
    const change = { revision: 5, registered: [], deregistered: ['x.a'] };
    peer.answer(id, change, { type: 'DiscoveryChange' });
    assert.deepEqual((await bounded(watch.next())).value, { ...change, isSnapshot: false });
    await watch.return();
    assert.equal((await peer.next('cancel')).id, id);
    assert.deepEqual(await watch.next(), { value: undefined, done: true });
  });
});

test('a watch goes on over a reconnect from where it was', async () => {
  await linked(async (client, peer, sidecar) => {
    const revisions = [];
    const watching = (async () => {
      for await (const { revision } of client.watch()) {
        revisions.push(revision);
        if (revision === 9) break;
      }
    })();
    peer.answer((await peer.next('call')).id, { revision: 7, agents: [] }, {});
    await until(() => revisions.length === 1, 'the snapshot');
    peer.abort();
    const next = await sidecar.welcome();
    const again = await next.next('call');
    assert.equal(JSON.parse(again.content).from_revision, 7);
    next.answer(again.id, { revision: 9, registered: [], deregistered: [] }, {});
    await bounded(watching);
    assert.deepEqual(revisions, [7, 9]);
    await next.next('cancel');
  });
});

test('a watch ends with its signal, and with what is refused', async () => {
  await linked(async (client, peer) => {
    const abort = new AbortController();
    const watch = client.watch('', { signal: abort.signal });
    const waiting = watch.next();
    await peer.next('call');
    abort.abort();
    await failure(waiting, CancelledCallError);
    await peer.next('cancel');
    const refused = client.watch('').next();
    const { id } = await peer.next('call');
    peer.send({ op: 'error', id, code: 'permission_denied' });
    await failure(refused, PermissionDeniedError);
  });
});

test('a watch that waits for a connection ends with the client', async () => {
  await linked(async (client, peer) => {
    const waiting = client.watch()[Symbol.asyncIterator]().next();
    await peer.next('call');
    peer.abort();
    await until(() => !client.isConnected, 'the loss');
    const refusal = failure(waiting, UnavailableError);
    await client.close();
    await refusal;
  });
});

test('what is asked for behind a send goes behind it', async () => {
  await linked(async (client, peer) => {
    client.send('a:s', 1, { ack: false });
    client.send('a:s', 2).catch(() => {});
    client.signal('a:s', 'x.y').catch(() => {});
    client.stream('a:s', 3);
    for (const op of ['send', 'send', 'signal', 'call']) await peer.next(op);
  });
});
