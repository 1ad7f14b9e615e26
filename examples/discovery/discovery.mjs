// discovery: who is there, what they can do, and who comes and goes.
//
//     node examples/discovery/discovery.mjs

import { connect } from '@coagent/client';

class Books {
  // The schemas are what discovery shows; a message that does not fit is refused.
  static operations = {
    find: {
      description: 'Titles of an author, up to a year',
      input: {
        type: 'object',
        properties: { author: { type: 'string' }, before: { type: 'integer' } },
        required: ['author', 'before'],
      },
    },
  };

  async *find({ author, before }) {
    yield `a book by ${author} before ${before}`;
  }
}

const stock = () => 'plenty';
const names = (cards) => cards.map((card) => card.name).join(', ');

const client = await connect();
await client.register('shop.books', Books, { description: 'Sells books', version: '1.2' });
await client.register('shop.music', stock, { description: 'Sells records' });
await client.register('shop.music.jazz', stock, { labels: { mood: 'blue' } });

// Dots make namespaces.
console.log('in shop:', names(await client.discover('shop')));
console.log('below shop:', names(await client.discover('shop', { recursive: true })));
const blue = await client.discover('shop', { recursive: true, labels: { mood: 'blue' } });
console.log('in a blue mood:', names(blue));

const [books] = await client.discover('shop', { detailed: true });
console.log(`${books.name} ${books.version}: ${books.description}`);
for (const { name, description, input } of books.operations) {
  const properties = Object.entries(input.properties).sort();
  const fields = properties.map(([field, schema]) => `${field}: ${schema.type}`);
  console.log(`  ${name}(${fields.join(', ')}): ${description}`);
}

// A watch tells what there is, and then every change.
const changes = client.watch('shop.music', { recursive: true })[Symbol.asyncIterator]();
const next = async () => (await changes.next()).value;
console.log('there is:', names((await next()).registered));
const blues = await client.register('shop.music.blues', stock);
console.log('came:', names((await next()).registered));
await blues.close();
console.log('went:', (await next()).deregistered.join(', '));
await changes.return();
await client.close();
