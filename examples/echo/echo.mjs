// echo: an agent, calls to it, their answers, and what goes wrong.
//
//     node examples/echo/echo.mjs

import { AgentError, InvalidArgumentError, connect } from '@coagent/client';

function echo(value) {
  if (value === '') throw new InvalidArgumentError('say something', { reason: 'nothing_said' });
  return value;
}

const client = await connect();
await client.register('echo', echo, { description: 'Answers what it is told' });

// Text stays text, JSON stays JSON, bytes stay bytes.
console.log('text:', await client.call('echo', 'good morning'));
const person = await client.call('echo', { name: 'Ada', born: 1815 });
console.log(`json: ${person.name}, born ${person.born}`);
const bytes = await client.call('echo', new Uint8Array([0xc0, 0xff, 0xee]));
console.log('bytes:', bytes.toString('hex'));

// An agent's error is thrown here with the code that it chose; so are the sidecar's own.
for (const address of ['echo', 'nobody']) {
  try {
    await client.call(address, '');
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    console.log(`${address}: ${error.code}/${error.reason}`);
  }
}
await client.close();
