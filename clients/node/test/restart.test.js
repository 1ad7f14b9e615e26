/** Sidecars that are replaced under load. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { connect } from '../src/index.js';
import { bounded } from './support/bounded.js';

const ROUNDS = 3;
const CALLERS = 8;

/** A sidecar at a path; resolves once somebody can connect to it. */
async function started(path) {
  const program = process.env.COAGENTD ?? 'coagentd';
  const child = spawn(program, ['--listen', `unix:${path}`], { stdio: 'ignore' });
  const late = performance.now() + 10_000;
  for (;;) {
    const came = await new Promise((resolve) => {
      const socket = net.connect(path, () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (came) return child;
    assert.ok(performance.now() < late, 'nobody listens');
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** Leads whoever connects to the path that is the newest. */
function relay(path) {
  const leading = { to: '' };
  const server = net.createServer((near) => {
    const far = net.connect(leading.to);
    near.pipe(far).pipe(near);
    for (const [one, other] of [[near, far], [far, near]]) {
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
  });
  server.listen(path);
  return { leading, server };
}

test('no call fails while one sidecar takes over from another', async () => {
  const folder = mkdtempSync('/tmp/coagent-test-');
  const { leading, server } = relay(join(folder, 'relay'));
  leading.to = join(folder, 's0');
  let sidecar = await started(leading.to);
  const url = `unix:${join(folder, 'relay')}`;
  const [host, client] = await Promise.all([connect(url), connect(url)]);
  await host.register('echo', (value) => value);
  let isOver = false;
  let made = 0;
  const calling = Array.from({ length: CALLERS }, async (_, caller) => {
    for (let number = 0; !isOver; number += 1) {
      assert.deepEqual(await client.call('echo', [caller, number]), [caller, number]);
      made += 1;
    }
  });
  try {
    for (let round = 1; round <= ROUNDS; round += 1) {
      const until = made + 500;
      while (made < until) await bounded(client.call('echo', round));
      const next = join(folder, `s${round}`);
      const successor = await started(next);
      leading.to = next;
      sidecar.kill('SIGTERM');
      await bounded(once(sidecar, 'exit'), 'its end');
      sidecar = successor;
    }
    isOver = true;
    await bounded(Promise.all(calling));
  } finally {
    isOver = true;
    await Promise.all([host.close(), client.close()]);
    sidecar.kill('SIGKILL');
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
