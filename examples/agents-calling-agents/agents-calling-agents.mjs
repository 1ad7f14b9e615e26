// agents-calling-agents: what an agent asks of others belongs to the call that it handles.
//
//     node examples/agents-calling-agents/agents-calling-agents.mjs
//
// Child calls have no more time than their parent, carry its trace and ext on, and end with it.

import { once, EventEmitter } from 'node:events';

import { connect } from '@coagent/client';

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

let asked = '';
const cancelled = new EventEmitter();

class Counter {
  static operations = { add: { input: { type: 'integer' } } };

  total = 0;

  add(number) {
    this.total += number;
    return this.total;
  }
}

async function* words(text, context) {
  const trace = context.trace === TRACE ? 'the same' : 'another';
  const time = context.timeLeftMs === undefined ? 'no' : 'a';
  asked = `by ${context.sender}, for ${context.ext.customer}, ${trace} trace, ${time} deadline`;
  context.signal.addEventListener('abort', () => cancelled.emit(context.name));
  for (const word of text.split(' ')) {
    yield word;
    if (word === 'ever') await once(context.signal, 'abort');
  }
}

async function* planner(goal, context) {
  context.signal.addEventListener('abort', () => cancelled.emit(context.name));
  const number = await context.call('team.counter:plans', 1);
  yield `plan ${number}: ${goal}`;
  let step = 0;
  for await (const word of context.stream('team.words', goal)) {
    step += 1;
    yield `  ${step}. ${word}`;
  }
}

const client = await connect();
await client.register('team.counter', Counter);
await client.register('team.words', words);
await client.register('team.planner', planner);
const asking = { timeoutMs: 10_000, trace: TRACE, ext: { customer: 'ann' } };

for await (const line of client.stream('team.planner', 'buy fresh milk', asking)) {
  console.log(line);
}
console.log('words was asked', asked);

const bothCancelled = Promise.all(
  ['team.planner', 'team.words'].map((name) => once(cancelled, name).then(() => name)),
);
for await (const line of client.stream('team.planner', 'wait for ever', asking)) {
  console.log(line);
  if (line === '  3. ever') break; // Cancels the planner, and with it what the planner called.
}
for (const name of await bothCancelled) console.log('cancelled:', name);
await client.close();
