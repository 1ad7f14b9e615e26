/** The agents that do one thing by themselves, for load and for the integration tests. */

import { createHash } from 'node:crypto';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';

import { Message } from '../../../../clients/node/src/index.js';

const LANGUAGE = 'node';

const same = ({ content, contentType, type }) => new Message(content, { contentType, type });

async function* mirror(messages) {
  for await (const message of messages) yield same(message);
}

function generate(emit) {
  return async function* generate({ count, bytes }) {
    let made = 0;
    try {
      while (made < count) {
        const content = Buffer.alloc(bytes);
        content.writeBigUInt64BE(BigInt(made));
        made += 1; // Whoever leaves now got this one.
        yield content;
      }
    } finally {
      emit({ event: 'generated', count: made });
    }
  };
}

async function collect(messages) {
  let count = 0;
  let bytes = 0;
  const digest = createHash('sha256');
  for await (const { content } of messages) {
    count += 1;
    bytes += content.length;
    digest.update(content);
  }
  return { messages: count, bytes, sha256: digest.digest('hex') };
}

/** An agent with state of its own and declared operations. */
class Operations {
  static operations = {
    add: { input: { type: 'integer' }, output: { type: 'integer' } },
    greet: {
      input: {
        type: 'object',
        properties: { name: { type: 'string' } },
        required: ['name'],
      },
      output: { type: 'string' },
    },
    countUp: { type: 'count_up', input: { type: 'integer' }, output: { type: 'integer' } },
  };

  #total = 0;

  add(number) {
    this.#total += number;
    return this.#total;
  }

  greet({ name }) {
    return `hello ${name}`;
  }

  async *countUp(last) {
    for (let number = 1; number <= last; number += 1) yield number;
  }
}

/** Keeps what it is given, in order. */
class Recorder {
  static operations = { add: {}, show: {} };

  #items = [];
  #running = 0;
  #mostRunning = 0;

  async add(item) {
    this.#running += 1;
    this.#mostRunning = Math.max(this.#mostRunning, this.#running);
    await nextTurn();
    this.#items.push(item);
    this.#running -= 1;
  }

  show() {
    return { items: this.#items, most_running: this.#mostRunning };
  }
}

function hang(emit) {
  return async ({ address, signal }) => {
    emit({ event: 'begun', address });
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve);
    });
    emit({ event: 'ended', address });
    throw signal.reason;
  };
}

function fail(fruit) {
  throw new Error(`no price for ${fruit}`, { cause: new RangeError('unknown fruit') });
}

function words(text) {
  return text.split(/\s+/).filter((word) => word !== '');
}

async function* relay({ path: [first, ...rest], text, mark }, context) {
  if (first === undefined) {
    yield* words(text);
    return;
  }
  for await (const word of context.stream(first, { path: rest, text, mark })) {
    yield `${LANGUAGE}>${word}`;
  }
}

async function* delegate({ path: [first, ...rest], text, mark }, context) {
  if (first === undefined) {
    yield* words(text);
    return;
  }
  yield `${LANGUAGE}>`;
  yield context.delegate(first, { path: rest, text, mark });
  yield `<${LANGUAGE}`;
}

async function* handOver({ path: [first, ...rest], text, mark }, context) {
  if (first === undefined) {
    yield* words(text);
    return undefined;
  }
  yield `${LANGUAGE}>`;
  return context.delegate(first, { path: rest, text, mark });
}

async function slow(milliseconds, { signal }) {
  await delay(milliseconds, undefined, { signal });
}

/** By name: what to register, and with which options. */
export function fixedAgents(emit) {
  return {
    operations: { target: Operations },
    echo: { target: same, options: { receives: 'message' } },
    mirror: { target: mirror, options: { receives: 'messages' } },
    generate: { target: generate(emit) },
    collect: { target: collect, options: { receives: 'messages' } },
    recorder: { target: Recorder },
    hang: { target: (_, context) => hang(emit)(context) },
    fail: { target: fail },
    relay: { target: relay },
    delegate: { target: delegate },
    hand_over: { target: handOver },
    slow: { target: slow },
  };
}
