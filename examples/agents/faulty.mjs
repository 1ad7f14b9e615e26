// faulty: fails for most fruit, so that the caller sees what becomes of an error.
//
// coagent call faulty -d '"anything"'    # internal/agent_error, with type and cause

const prices = new Map([['apple', 3]]);

function priceOf(fruit) {
  if (!prices.has(fruit)) throw new RangeError(`no such fruit: ${fruit}`);
  return prices.get(fruit);
}

function faulty(fruit = 'pear') {
  try {
    return priceOf(fruit);
  } catch (cause) {
    throw new TypeError(`no price for ${fruit}`, { cause });
  }
}

export const register = (client) =>
  client.register('faulty', faulty, { description: 'Throws an error with a cause' });
