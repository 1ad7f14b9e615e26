// counter: adds up, for each session on its own.
//
// coagent call counter:alice -d 2
// coagent call counter:alice -d 3        # 5
// coagent call counter:bob -d 1          # 1

class Counter {
  static operations = {
    add: { description: 'Adds a number and returns the sum so far.', input: { type: 'integer' } },
  };

  total = 0;

  add(number) {
    this.total += number;
    return this.total;
  }

  closed(reason) {
    console.log(`counter: a session ended (${reason}) at ${this.total}`);
  }
}

export const register = (client) =>
  client.register('counter', Counter, {
    description: 'Adds up numbers, for each session on its own',
    idleMs: 60_000,
  });
