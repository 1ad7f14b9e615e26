// words: streams the words of a text, one at a time.
//
// coagent stream words -d '"each word on its own"'

import { setTimeout } from 'node:timers/promises';

async function* words(text, { signal }) {
  for (const word of text.split(' ')) {
    yield `${word} `; // Waits here while the caller does not read.
    await setTimeout(100, undefined, { signal }); // As if it had to think.
  }
}

export const register = (client) =>
  client.register('words', words, { description: 'Streams the words of a text, one at a time' });
