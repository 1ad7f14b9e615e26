// sessions: each conversation has an instance, and a memory, of its own.
//
//     node examples/sessions/sessions.mjs

import { on, EventEmitter } from 'node:events';

import { connect } from '@coagent/client';

const notes = new EventEmitter();
const closings = on(notes, 'closed');
const closed = async () => (await closings.next()).value[0];

/** Made by the first message of its session; handles one message at a time, in order. */
class Tally {
  static operations = { add: { input: { type: 'integer' } }, show: {} };

  added = [];

  constructor(context) {
    this.session = context.session;
  }

  get sum() {
    return this.added.reduce((sum, number) => sum + number, 0);
  }

  async add(number) {
    const added = [...this.added, number];
    await Promise.resolve(); // Others run now, but nobody else in this session.
    this.added = added;
    return this.sum;
  }

  show() {
    return this.added;
  }

  closed(reason) {
    notes.emit('closed', `${this.session} had ${this.sum} (${reason})`);
  }
}

const client = await connect();
const registration = await client.register('tally', Tally);

console.log('ann:', await client.call('tally:ann', 2, { type: 'add' }));
console.log('ann:', await client.call('tally:ann', 3, { type: 'add' }));
console.log('bob:', await client.call('tally:bob', 10, { type: 'add' }));

const five = Array.from({ length: 5 }, () => client.call('tally:eve', 1, { type: 'add' }));
console.log('eve, five calls at once:', ...(await Promise.all(five)).sort());

for (const number of [1, 2, 3, 4, 5]) {
  await client.send('tally:joe', number, { type: 'add' }); // Nobody answers, but in order.
}
const shown = await client.call('tally:joe', undefined, { type: 'show' });
console.log('joe, after five sends:', ...shown);

// An operator ends a session, as `coagent rm tally:ann` does; the next message begins anew.
await client.call('sessions', { address: 'tally:ann' }, { type: 'SessionDelete' });
console.log('closed:', await closed());
console.log('ann, anew:', await client.call('tally:ann', 1, { type: 'add' }));

// The agent goes, and its sessions with it. (One that is idle for long goes by itself.)
await registration.close();
const last = [await closed(), await closed(), await closed(), await closed()];
for (const line of last.sort()) console.log('closed:', line);
await client.close();
