// slow: never answers in time, but notices that nobody waits any more.
//
// coagent call slow --timeout 1          # deadline_exceeded after a second

import { setTimeout } from 'node:timers/promises';

async function slow(_, { signal, timeLeftMs }) {
  const left = timeLeftMs === undefined ? 'no end' : `${timeLeftMs} ms`;
  console.log(`slow: started, the caller gives it ${left}`);
  signal.addEventListener('abort', () => console.log('slow: cancelled, the caller is gone'));
  await setTimeout(60_000, undefined, { signal });
  return 'at last';
}

export const register = (client) =>
  client.register('slow', slow, {
    description: 'Takes a minute, and says so when its caller leaves before',
  });
