// All example agents in one process, on one connection; or those that are named.
//
//     node examples/agents/agents.mjs
//     node examples/agents/agents.mjs planner

import { connect } from '@coagent/client';

const all = ['words', 'counter', 'planner', 'faulty', 'slow', 'relay'];
const named = process.argv.slice(2);

const client = await connect({ name: 'agents', waitMs: 10_000 });
for (const name of named.length > 0 ? named : all) {
  const { register } = await import(`./${name}.mjs`);
  await register(client);
}
await client.run();
