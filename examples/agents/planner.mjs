// planner: asks other agents, and streams what comes of it on.
//
// coagent stream planner -d '"buy milk"'
//
// Its calls are children of the one it handles: they have no more time, and end with it.

async function* planner(goal, context) {
  const number = await context.call('counter:plans', 1);
  yield `Plan ${number}: ${goal}\n`;
  let step = 0;
  for await (const word of context.stream('words', goal)) {
    step += 1;
    yield `  ${step}. ${word.trim()}\n`;
  }
}

export const register = (client) =>
  client.register('planner', planner, {
    description: 'Turns a goal into numbered steps, with the help of words',
  });
