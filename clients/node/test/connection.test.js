/** Connecting: what is said first, what is refused, and what comes after a loss. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import {
  CancelledCallError,
  DeadlineExceededError,
  FailedPreconditionError,
  InvalidArgumentError,
  PermissionDeniedError,
  UnauthenticatedError,
  UnavailableError,
  VERSION,
  connect,
} from '../src/index.js';
import { defaultToken, defaultUrl, parseUrl } from '../src/address.js';
import { bounded, failure, until } from './support/bounded.js';
import { FakeSidecar, Peer, hosting, linked } from './support/fake-sidecar.js';

/** Runs with a sidecar that nobody has connected to yet. */
async function listening(work) {
  const sidecar = await new FakeSidecar().listen();
  try {
    await work(sidecar);
  } finally {
    await sidecar.end();
  }
}

/** Runs with other variables of the environment. */
async function withEnvironment(variables, work) {
  const before = { ...process.env };
  for (const key of Object.keys(before)) if (key.startsWith('COAGENT')) delete process.env[key];
  Object.assign(process.env, variables);
  try {
    await work();
  } finally {
    for (const key of Object.keys(variables)) delete process.env[key];
    Object.assign(process.env, before);
  }
}

test('hello says version, client, name and token', async () => {
  await listening(async (sidecar) => {
    const connecting = connect(sidecar.url, { name: 'é "x"', token: 's3cret' });
    const peer = await sidecar.accept();
    const { content, ...hello } = await peer.greet();
    assert.deepEqual(hello, {
      op: 'hello',
      v: 1,
      client: `coagent-client-node/${VERSION}`,
      name: 'é "x"',
      token: 's3cret',
      features: 'signals',
    });
    assert.equal(content.length, 0);
    await (await bounded(connecting)).close();
  });
});

test('url and token come from the environment', async () => {
  const folder = mkdtempSync('/tmp/coagent-test-');
  const path = join(folder, 'token');
  writeFileSync(path, ' from-file\n');
  await listening(async (sidecar) => {
    await withEnvironment({ COAGENT_URL: sidecar.url, COAGENT_TOKEN_FILE: path }, async () => {
      const connecting = connect({ name: 'options alone' });
      const hello = await (await sidecar.accept()).greet();
      assert.deepEqual([hello.token, hello.name], ['from-file', 'options alone']);
      await (await bounded(connecting)).close();
      process.env.COAGENT_TOKEN = 'first';
      assert.equal(defaultToken(), 'first');
      delete process.env.COAGENT_TOKEN;
      process.env.COAGENT_TOKEN_FILE = join(folder, 'missing');
      await failure(connect(), InvalidArgumentError, 'bad_token');
    });
  });
  rmSync(folder, { recursive: true });
});

test('the default socket is where the sidecar has it', async () => {
  await withEnvironment({ XDG_RUNTIME_DIR: '/run/user/7' }, () => {
    assert.equal(defaultUrl(), 'unix:/run/user/7/coagent/coagentd.sock');
  });
  await withEnvironment({ XDG_RUNTIME_DIR: '', TMPDIR: '/var/tmp//' }, () => {
    assert.equal(defaultUrl(), `unix:/var/tmp/coagent-${process.getuid()}/coagentd.sock`);
  });
});

test('urls', async () => {
  assert.deepEqual(parseUrl('unix:/a b'), { path: '/a b' });
  assert.deepEqual(parseUrl('unix:///a'), { path: '/a' });
  assert.deepEqual(parseUrl('tcp://h.x:1/'), { host: 'h.x', port: 1 });
  assert.deepEqual(parseUrl('tcp://[::1]:65535'), { host: '::1', port: 65535 });
  const wrong = ['', 'unix:', 'http://h:1', 'tcp://h', 'tcp://h:65536', 'tcp://:1', 'tcp://h:1/x'];
  for (const url of [...wrong, 'tcp://u@h:1', '/path']) {
    assert.throws(() => parseUrl(url), { reason: 'bad_address' }, url);
  }
  await failure(connect('http://x'), InvalidArgumentError, 'bad_address');
});

test('where nobody listens is said, with the system\'s own word', async () => {
  const error = await failure(connect('unix:/nowhere/s'), UnavailableError, 'connection_lost');
  assert.match(error.message, /unix:\/nowhere\/s.*is coagentd running/);
  assert.equal(error.cause.code, 'ENOENT');
});

const refusals = [
  ['unauthenticated', 'bad_token', UnauthenticatedError],
  ['permission_denied', 'peer_refused', PermissionDeniedError],
  ['failed_precondition', 'version_unsupported', FailedPreconditionError],
  ['invalid_argument', 'bad_field', InvalidArgumentError],
];

for (const [code, reason, Class] of refusals) {
  test(`a connection that is refused with ${reason} is not tried again`, async () => {
    await listening(async (sidecar) => {
      const connecting = connect(sidecar.url, { waitMs: 60_000 });
      const peer = await sidecar.accept();
      await peer.next('hello');
      peer.send({ op: 'error', code, reason, message: 'no' });
      peer.close();
      await failure(connecting, Class, reason);
    });
  });
}

test('who is refused before the first word hears why, whatever crosses', async () => {
  const refusal = '{"op":"error","code":"permission_denied","reason":"peer_refused"}';
  const frame = Buffer.alloc(8 + refusal.length);
  frame.writeUInt32BE(refusal.length);
  frame.write(refusal, 8);
  const folder = mkdtempSync('/tmp/cn-');
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.write(frame, () => socket.destroy());
  });
  await new Promise((resolve) => server.listen(join(folder, 's'), () => resolve(undefined)));
  try {
    for (let round = 0; round < 50; round++) {
      const connecting = connect(`unix:${join(folder, 's')}`);
      await failure(connecting, PermissionDeniedError, 'peer_refused');
    }
  } finally {
    server.close();
    rmSync(folder, { recursive: true });
  }
});

test('waitMs keeps trying', async () => {
  const sidecar = new FakeSidecar();
  const connecting = connect(sidecar.url, { waitMs: 60_000 });
  connecting.catch(() => {});
  await sidecar.listen();
  const first = await sidecar.accept();
  first.abort(); // It went away again before it said a word.
  await sidecar.welcome();
  await (await bounded(connecting)).close();
  await sidecar.end();
});

test('a signal gives up connecting, and closes a client that is connected', async () => {
  await listening(async (sidecar) => {
    const stop = new AbortController();
    const connecting = connect(sidecar.url, { signal: stop.signal, waitMs: 60_000 });
    await (await sidecar.accept()).next('hello');
    stop.abort('enough');
    assert.equal((await failure(connecting, CancelledCallError)).cause, 'enough');
    await failure(connect(sidecar.url, { signal: stop.signal }), CancelledCallError);
    const end = new AbortController();
    const second = connect(sidecar.url, { signal: end.signal });
    const peer = await sidecar.welcome();
    const client = await bounded(second);
    end.abort();
    await peer.ended();
    await failure(client.call('a'), UnavailableError);
  });
});

test('a lost connection is made again, agents included, and calls go on there', async () => {
  await hosting({ a: () => 1, b: () => 2 }, async (peer, client, sidecar) => {
    const lost = client.call('x');
    await peer.next('call');
    peer.abort();
    await failure(lost, UnavailableError, 'connection_lost');
    const next = await sidecar.welcome();
    await next.register('a', 'b');
    assert.deepEqual(await next.reply(next.call('b')), [2]);
    const calling = client.call('y');
    next.answer((await next.next('call')).id, 'again');
    assert.equal(await bounded(calling), 'again');
  });
});

test('a token that is refused later ends the client', async () => {
  await linked(async (client, peer, sidecar) => {
    const serving = client.serve();
    serving.catch(() => {});
    peer.abort();
    const next = await sidecar.accept();
    await next.next('hello');
    next.send({ op: 'error', code: 'unauthenticated', reason: 'bad_token' });
    await failure(serving, UnauthenticatedError);
    await failure(client.call('a'), UnauthenticatedError);
    await failure(client.register('a', () => 1), UnauthenticatedError);
    await failure(client.send('a'), UnauthenticatedError);
  });
});

test('reconnecting goes on while nobody listens', async () => {
  await linked(async (client, peer, sidecar) => {
    await sidecar.stop();
    await until(() => !client.isConnected, 'the loss');
    const calling = client.call('a', 1, { timeoutMs: 200 });
    await failure(calling, DeadlineExceededError);
    await sidecar.listen();
    await sidecar.welcome();
    await until(() => client.isConnected, 'the connection');
  });
});

test('what the sidecar said before it closed is why', async () => {
  await linked(async (client, peer) => {
    const calling = client.call('a');
    await peer.next('call');
    peer.send({ op: 'error', code: 'resource_exhausted', reason: 'slow_reader', message: 'slow' });
    peer.close();
    const error = await failure(calling, UnavailableError, 'connection_lost');
    assert.equal(error.cause.reason, 'slow_reader');
  });
});

test('harmless complaints, unknown ops and fields end nothing', async () => {
  await linked(async (client, peer) => {
    for (const reason of ['unknown_op', 'bad_field', 'missing_field']) {
      peer.send({ op: 'error', code: 'unimplemented', reason });
    }
    peer.send({ op: 'news', id: 'any', later: [1, { deep: null }] });
    peer.send({ later: true });
    peer.send({ op: 'welcome', v: 1, max_content: 1 });
    await peer.nothing();
    const calling = client.call('a', 'more than a byte');
    const got = await peer.next('call');
    peer.answer(got.id, got.content.toString());
    assert.equal(await bounded(calling), 'more than a byte');
  });
});

test('silence is asked about, and at last taken for death', async () => {
  await linked(
    async (client, peer) => {
      await peer.next('ping');
      peer.send({ op: 'pong' });
      await peer.next('ping');
      const calling = client.call('a');
      const error = await failure(calling, UnavailableError, 'connection_lost');
      assert.equal(error.cause.reason, 'heartbeat_timeout');
      await peer.next('call');
    },
    { welcome: { heartbeat_ms: 30 } },
  );
});

test('a sidecar that goes gets no new calls, and the next one those that waited', async () => {
  await linked(async (client, peer, sidecar) => {
    peer.send({ op: 'goodbye', reason: 'shutdown', timeout_ms: 1000 });
    await peer.nothing();
    const calling = client.call('a');
    await peer.nothing();
    peer.close();
    const next = await sidecar.welcome();
    next.answer((await next.next('call')).id, 1);
    assert.equal(await bounded(calling), 1);
  });
});

test('closing says goodbye and ends what is open', async () => {
  await linked(async (client, peer) => {
    const calling = client.call('a');
    await peer.next('call');
    const closing = client.close();
    await failure(calling, UnavailableError, 'connection_lost');
    assert.equal((await peer.next('goodbye')).timeout_ms, 0);
    await peer.ended();
    await bounded(closing);
    await bounded(client.close());
    await bounded(client.serve());
    await failure(client.call('b'), UnavailableError, 'connection_lost');
  });
});

test('over TCP it is the same', async () => {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise((resolve) => server.once('connection', (each) => resolve(each)));
  const connecting = connect(`tcp://127.0.0.1:${server.address().port}`, { token: 't' });
  const peer = new Peer(await bounded(accepted));
  assert.equal((await peer.greet()).token, 't');
  const client = await bounded(connecting);
  const calling = client.call('a');
  peer.answer((await peer.next('call')).id, 1);
  assert.equal(await bounded(calling), 1);
  await client.close();
  server.close();
});
