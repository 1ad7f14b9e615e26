// tools: an agent that uses what it finds.
//
//     node examples/tools/tools.mjs
//
// It asks who is there and what they can do, and takes each operation for a tool: a name, a
// description and a JSON Schema, as a language model is given them. A model would choose the tool
// and its arguments; here a rule does, and so the answers are always the same.

import { connect } from '@coagent/client';

const integer = { type: 'integer' };
const pair = { type: 'object', properties: { a: integer, b: integer }, required: ['a', 'b'] };
const text = { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] };

class Arithmetic {
  static operations = {
    add: { description: 'The sum of two numbers', input: pair },
    multiply: { description: 'The product of two numbers', input: pair },
  };

  add({ a, b }) {
    return a + b;
  }

  multiply({ a, b }) {
    return a * b;
  }
}

class Writing {
  static operations = {
    reverse: { description: 'A text from its end to its beginning', input: text },
  };

  reverse({ text }) {
    return [...text].reverse().join('');
  }
}

/** An operation of an agent, as a model would be shown it. */
class Tool {
  constructor(agent, operation) {
    this.address = agent.name;
    this.name = operation.name;
    this.description = operation.description;
    this.parameters = Object.entries(operation.input.properties).sort();
  }

  toString() {
    const parameters = this.parameters.map(([name, schema]) => `${name}: ${schema.type}`);
    return `${this.name}(${parameters.join(', ')}): ${this.description}`;
  }

  /** The question's numbers and quoted texts, each where the schema has a place for it. */
  arguments(question) {
    const numbers = question.matchAll(/\d+/g);
    const texts = question.matchAll(/'([^']*)'/g);
    return Object.fromEntries(
      this.parameters.map(([name, { type }]) => {
        return [name, type === 'integer' ? Number(numbers.next().value) : texts.next().value[1]];
      }),
    );
  }
}

const client = await connect();
await client.register('tools.math', Arithmetic);
await client.register('tools.writing', Writing);
await client.register('assistant', async function* assistant(question) {
  const agents = await client.discover('tools', { detailed: true });
  const tools = agents.flatMap((agent) => agent.operations.map((each) => new Tool(agent, each)));
  if (question === 'what can you do?') {
    for (const tool of tools) yield `  ${tool}`;
    return;
  }
  const tool = tools.find(({ name }) => question.split(' ').includes(name));
  if (tool === undefined) {
    yield '  I have no tool for that';
    return;
  }
  const answer = await client.call(tool.address, tool.arguments(question), { type: tool.name });
  yield `  ${tool.name} of ${tool.address}: ${answer}`;
});

for (const question of [
  'what can you do?',
  'please add 19 and 23',
  'and multiply 6 by 7',
  "now reverse 'stressed'",
  'what is love?',
]) {
  console.log(question);
  for await (const line of client.stream('assistant', question)) console.log(line);
}
await client.close();
