/** Registering agents: what is said, refused, made again and withdrawn. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  AlreadyExistsError,
  InvalidArgumentError,
  PermissionDeniedError,
  UnavailableError,
} from '../src/index.js';
import { bounded, failure, settled, until } from './support/bounded.js';
import { hosting, linked } from './support/fake-sidecar.js';

async function shout(text) {
  return text.toUpperCase();
}

test('register says what it was given, and resolves with the answer', async () => {
  await linked(async (client, peer) => {
    const registering = client.register('a.b', shout, {
      description: 'Says "it" aloud',
      version: '1.2',
      labels: { team: 'é' },
      concurrency: 5,
      sessionConcurrency: 2,
      idleMs: 0,
      exclusive: true,
      input: { type: 'string' },
      output: { type: 'string', minLength: 1 },
    });
    let isRegistered = false;
    registering.then(() => {
      isRegistered = true;
    });
    const { content, ...header } = await peer.next('register');
    assert.deepEqual(header, {
      op: 'register',
      id: 1,
      name: 'a.b',
      description: 'Says "it" aloud',
      version: '1.2',
      labels: { team: 'é' },
      concurrency: 5,
      session_concurrency: 2,
      idle_ms: 0,
      exclusive: true,
    });
    assert.deepEqual(JSON.parse(content), [
      {
        name: 'shout',
        input: { type: 'string' },
        output: { type: 'string', minLength: 1 },
        streaming: false,
      },
    ]);
    await peer.nothing();
    assert.equal(isRegistered, false);
    peer.send({ op: 'ok', id: 1 });
    const registration = await bounded(registering);
    assert.deepEqual([registration.name, registration.isRegistered], ['a.b', true]);
  });
});

async function* words() {
  yield 1;
}

const operations = [
  ['a function without a name', () => 1, {}, [{ name: 'c', streaming: false }]],
  ['a generator', words, {}, [{ name: 'words', streaming: true }]],
  ['what streams otherwise', () => 1, { streaming: true }, [{ name: 'c', streaming: true }]],
  [
    'a class',
    class Agent {
      static operations = { add: { description: 'Adds' }, up: { type: 'Up', output: true } };

      add() {}

      async *up() {}
    },
    {},
    [
      { name: 'add', description: 'Adds', streaming: false },
      { name: 'Up', output: true, streaming: true },
    ],
  ],
];

for (const [name, target, options, wanted] of operations) {
  test(`the operations of ${name}`, async () => {
    await linked(async (client, peer) => {
      client.register('a.b.c', target, options).catch(() => {});
      assert.deepEqual(JSON.parse((await peer.next('register')).content), wanted);
    });
  });
}

for (const name of ['', 'a:b', 'a b', 'a..b', 'x'.repeat(129)]) {
  test(`${JSON.stringify(name.slice(0, 9))} is no name`, async () => {
    await linked(async (client, peer) => {
      await failure(client.register(name, shout), InvalidArgumentError, 'bad_address');
      await peer.nothing();
    });
  });
}

const refused = [
  ['labels that are no texts', { labels: { a: 1 } }, 'bad_field'],
  ['labels with odd keys', { labels: { 'a"': 'b' } }, 'bad_field'],
  ['a negative number', { concurrency: -1 }, 'bad_field'],
  ['no number', { idleMs: NaN }, 'bad_field'],
  ['schemas beyond the limit', { input: { description: 'x'.repeat(300_000) } }, 'too_large'],
  ['a description beyond the header', { description: 'x'.repeat(40_000) }, 'too_large'],
];

for (const [name, options, reason] of refused) {
  test(`${name} cannot be registered`, async () => {
    await linked(async (client, peer) => {
      await failure(client.register('a', shout, options), InvalidArgumentError, reason);
      await peer.nothing();
      const registering = client.register('a', shout);
      await peer.register('a');
      await bounded(registering);
    });
  });
}

test('what the sidecar refuses is thrown, and can be tried again', async () => {
  await linked(async (client, peer) => {
    const registering = client.register('a', shout);
    const { id } = await peer.next('register');
    peer.send({ op: 'error', id, code: 'permission_denied', reason: 'name_owned' });
    await failure(registering, PermissionDeniedError, 'name_owned');
    const again = client.register('a', shout);
    await peer.register('a');
    await bounded(again);
  });
});

test('a name is registered once', async () => {
  await hosting({ a: shout }, async (peer, client) => {
    await failure(client.register('a', shout), AlreadyExistsError, 'name_registered');
    await peer.nothing();
  });
});

test('close withdraws it; calls that come before the answer are still handled', async () => {
  await linked(async (client, peer) => {
    const registering = client.register('a', shout);
    await peer.register('a');
    const registration = await bounded(registering);
    const closing = registration.close();
    const { id } = await peer.next('cancel');
    assert.deepEqual(await peer.reply(peer.call('a', '"x"')), ['X']);
    peer.send({ op: 'error', id, code: 'cancelled', reason: 'cancelled' });
    await bounded(closing);
    await bounded(registration.close());
    assert.equal(registration.isRegistered, false);
    peer.call('a', '"x"');
    assert.equal((await peer.next('error')).reason, 'unknown_agent');
  });
});

test('what was closed is not registered again after a loss', async () => {
  await linked(async (client, peer, sidecar) => {
    const registering = client.register('a', shout);
    await peer.register('a');
    const registration = await bounded(registering);
    const closing = registration[Symbol.asyncDispose]();
    await peer.next('cancel');
    peer.abort();
    await bounded(closing);
    const next = await sidecar.welcome();
    await next.nothing();
  });
});

test('a signal ends the registration', async () => {
  await linked(async (client, peer) => {
    const end = new AbortController();
    const registering = client.register('a', shout, { signal: end.signal });
    await peer.register('a');
    await bounded(registering);
    end.abort();
    await peer.next('cancel');
    const late = { signal: AbortSignal.abort(new Error('never')) };
    await assert.rejects(client.register('b', shout, late), /never/);
  });
});

test('a registration that is lost on the way is answered by the next connection', async () => {
  await linked(async (client, peer, sidecar) => {
    const registering = client.register('a', shout);
    await peer.next('register');
    peer.abort();
    const next = await sidecar.welcome();
    await next.register('a');
    const registration = await bounded(registering);
    assert.ok(registration.isRegistered);
  });
});

test('without a connection registering waits for one', async () => {
  await linked(async (client, peer, sidecar) => {
    peer.abort();
    await until(() => !client.isConnected, 'the loss');
    const registering = client.register('a', shout);
    const next = await sidecar.welcome();
    await next.register('a');
    await bounded(registering);
  });
});

test('a refusal after a reconnect is kept, and logged', async () => {
  const lines = [];
  const log = (message, error) => lines.push([message, error?.reason]);
  await linked(
    async (client, peer, sidecar) => {
      const registering = client.register('a', shout);
      await peer.register('a');
      const registration = await bounded(registering);
      peer.abort();
      const next = await sidecar.welcome();
      const { id } = await next.next('register');
      next.send({ op: 'error', id, code: 'already_exists', reason: 'name_registered' });
      await until(() => registration.error !== undefined, 'the refusal');
      assert.equal(registration.error.reason, 'name_registered');
      assert.ok(lines.some(([message]) => message === 'agent a is not registered'));
    },
    { log },
  );
});

test('closing the client fails a registration that waits', async () => {
  await linked(async (client, peer) => {
    const registering = client.register('a', shout);
    await peer.next('register');
    const refusal = failure(registering, UnavailableError, 'connection_lost');
    await client.close();
    await refusal;
  });
});

test('what does not fit the schema is refused before the agent runs', async () => {
  const input = {
    type: 'object',
    required: ['name'],
    properties: { name: { type: 'string' }, tags: { type: 'array', items: { type: 'string' } } },
  };
  let calls = 0;
  const agent = ({ name }) => {
    calls += 1;
    return name;
  };
  await hosting({ a: [agent, { input }] }, async (peer) => {
    const wrong = ['{}', '{"name":1}', '[]', '"x"', 'null', '', '{"name":"x","tags":[1]}'];
    for (const content of wrong) {
      peer.call('a', content);
      const error = await peer.next('error');
      assert.deepEqual([error.code, error.reason], ['invalid_argument', 'bad_content'], content);
    }
    assert.equal(calls, 0);
    assert.deepEqual(await peer.reply(peer.call('a', '{"name":"x","tags":["y"],"z":1}')), ['x']);
    await settled();
  });
});
