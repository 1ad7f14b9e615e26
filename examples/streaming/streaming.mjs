// streaming: replies that come piece by piece, one that is left early, and both directions.
//
//     node examples/streaming/streaming.mjs

import { Part, connect } from '@coagent/client';

async function* recite(text) {
  for (const word of text.split(' ')) {
    yield word; // A message of its own. Not resumed while the caller grants no credit.
  }
}

async function* spell(text) {
  for (const letter of text) {
    yield new Part(letter); // A piece of one message, such as a token of a model's answer.
  }
}

let countingEnded;
const counted = new Promise((resolve) => (countingEnded = resolve));

async function* count() {
  try {
    for (let number = 1; ; number += 1) yield number;
  } finally {
    countingEnded('the caller has left');
  }
}

async function* shout(words) {
  for await (const word of words) yield word.toUpperCase();
}

const client = await connect();
for (const agent of [recite, spell, count]) await client.register(agent.name, agent);
await client.register('shout', shout, { receives: 'values' });

for await (const word of client.stream('recite', 'each word by itself')) {
  console.log('message:', word);
}

for await (const piece of client.stream('spell', 'abc').parts()) {
  console.log('part:', piece);
}
console.log('whole:', await client.call('spell', 'abc'));

for await (const number of client.stream('count')) {
  console.log('number:', number);
  if (number === 3) break; // Leaving is cancelling, down to the agent.
}
console.log('count:', await counted);

const exchange = client.open('shout');
const answers = exchange[Symbol.asyncIterator]();
for (const word of ['hello', 'world']) {
  await exchange.send(word);
  console.log(`${word}: ${(await answers.next()).value}`);
}
await exchange.end();
await client.close();
