// relay: passes an errand on to the agents of its path, and streams back what the last one says.
//
// coagent stream relay.node -d '{"path": ["relay.python"], "text": "there and back"}'

const errand = {
  type: 'object',
  properties: {
    text: { type: 'string' },
    path: { type: 'array', items: { type: 'string' } },
    whole: { type: 'boolean', description: 'Asks for one answer, and not for a stream.' },
  },
  required: ['text'],
};

async function* relay({ text, path: [next, ...path] = [], whole = false }, context) {
  if (next === undefined) {
    for (const word of text.split(' ')) yield `node: ${word} `;
    return;
  }
  const rest = { text, path, whole };
  if (whole) {
    yield `node > ${await context.call(next, rest)}`;
    return;
  }
  for await (const word of context.stream(next, rest)) yield `node > ${word}`;
}

export const register = (client) =>
  client.register('relay.node', relay, {
    description: 'Passes an errand on, in Node',
    input: errand,
  });
