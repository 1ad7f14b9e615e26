/** A private sidecar, and the whole way of a call through it. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';

import { NotFoundError, UnavailableError, connect, local } from '../src/index.js';
import { until } from './support/bounded.js';

async function* shout(text) {
  for (const word of text.split(' ')) yield word.toUpperCase();
}

test('an agent is called and streamed from through a private sidecar', async () => {
  const client = await local();
  try {
    await client.register('shout', shout, { description: 'Upper-cases words' });
    assert.equal(await client.call('shout', 'joined up'), 'JOINEDUP');
    const words = [];
    for await (const word of client.stream('shout', 'hello world')) words.push(word);
    assert.deepEqual(words, ['HELLO', 'WORLD']);
    await assert.rejects(client.call('missing'), NotFoundError);
    const other = await connect(client.url);
    assert.equal(await other.call('shout', 'from afar'), 'FROMAFAR');
    await other.close();
  } finally {
    await client.close();
  }
});

test('the sidecar ends with its client', async () => {
  const client = await local();
  const { url, processId } = client;
  await client.close();
  assert.throws(() => process.kill(processId, 0), { code: 'ESRCH' });
  await assert.rejects(connect(url), UnavailableError);
});

test('the sidecar ends when its program is killed', async () => {
  const program = `
    import { local } from ${JSON.stringify(new URL('../src/index.js', import.meta.url))};
    const client = await local();
    console.log(client.url);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout, 'data');
  const url = String(line).trim();
  const client = await connect(url);
  const watching = client.serve();
  child.kill('SIGKILL');
  await until(() => !client.isConnected, 'the end of the sidecar');
  await until(() => !existsSync(dirname(url.slice('unix:'.length))), 'the end of its folder');
  await client.close();
  await watching;
});

test('a daemon that does not start says why', async () => {
  await assert.rejects(local({ arguments: ['--no-such-option'] }), (error) => {
    assert.ok(error instanceof UnavailableError);
    assert.match(error.message, /ended with \d+: .*no-such-option/s);
    return true;
  });
  await assert.rejects(local({ program: '/nowhere/coagentd' }), UnavailableError);
});
