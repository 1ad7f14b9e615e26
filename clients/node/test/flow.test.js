/** Windows: never overrun by an agent, and granted again as its readers take what came. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { Message, NotFoundError, Part } from '../src/index.js';
import { all, bounded, settled, until } from './support/bounded.js';
import { hosting, linked } from './support/fake-sidecar.js';

const COST = 256;
const WINDOW = 1024 * 1024;

/** Counts how far a generator was asked. */
function counting(make) {
  const agent = async function* agent() {
    for (agent.made = 1; ; agent.made += 1) yield make(agent.made);
  };
  agent.made = 0;
  return agent;
}

const kinds = {
  values: () => 'x'.repeat(44),
  bytes: () => Buffer.alloc(44),
  parts: () => new Part('x'.repeat(44)),
  errors: () => Message.failed(new NotFoundError('x')),
};

for (const [name, make] of Object.entries(kinds)) {
  test(`a generator of ${name} is not resumed without credit`, async () => {
    const agent = counting(make);
    await hosting({ a: agent }, async (peer) => {
      const id = peer.call('a', '', { window: 1000 });
      let window = 1000;
      let frames = 0;
      const take = async () => {
        while (window > 0) {
          window -= (await peer.next()).content.length + COST;
          frames += 1;
        }
      };
      await take();
      await peer.nothing();
      assert.equal(agent.made, frames);
      for (let round = 0; round < 3; round += 1) {
        peer.send({ op: 'credit', id, bytes: 500 });
        window += 500;
        await take();
        await peer.nothing();
        assert.equal(agent.made, frames);
      }
    });
  });
}

test('a window of one gives one message at a time', async () => {
  const agent = counting((count) => count);
  await hosting({ a: agent }, async (peer) => {
    const id = peer.call('a', '', { window: 1 });
    for (let count = 1; count <= 5; count += 1) {
      const { content } = await peer.next('data');
      assert.equal(content.toString(), `${count}`);
      await peer.nothing();
      assert.equal(agent.made, count);
      peer.send({ op: 'credit', id, bytes: content.length + COST });
    }
  });
});

test('a window of none waits for the first credit, and the bare end for nothing', async () => {
  const agents = { a: () => 1, b: () => undefined };
  await hosting(agents, async (peer) => {
    const id = peer.call('a', '', { window: 0 });
    const bare = peer.call('b', '', { window: 0 });
    assert.equal((await peer.next('data')).id, bare);
    await peer.nothing();
    peer.send({ op: 'credit', id, bytes: 1 });
    assert.deepEqual(await peer.reply(id), [1]);
  });
});

test('parts of one large value wait for credit each', async () => {
  await hosting({ a: () => Buffer.alloc(1_000_000) }, async (peer) => {
    const id = peer.call('a', '', { window: 1 });
    let size = 0;
    for (;;) {
      const { content, end } = await peer.next('data');
      size += content.length;
      if (end) break;
      await peer.nothing();
      peer.send({ op: 'credit', id, bytes: content.length + COST });
    }
    assert.equal(size, 1_000_000);
  });
});

test('credit beyond the largest window is taken as that', async () => {
  const agent = counting((count) => count);
  await hosting({ a: agent }, async (peer) => {
    const id = peer.call('a', '', { window: 1 });
    await peer.next('data');
    peer.send({ op: 'credit', id, bytes: Number.MAX_SAFE_INTEGER });
    peer.send({ op: 'credit', id, bytes: Number.MAX_SAFE_INTEGER });
    for (let count = 0; count < 1000; count += 1) await peer.next('data');
    peer.send({ op: 'cancel', id });
    while ((await peer.next()).op !== 'error');
  });
});

/** A stream of 100-byte texts that the sidecar sends as far as the window goes. */
async function flowing(work, options) {
  await linked(async (client, peer) => {
    const reply = client.stream('a', 1, options);
    const { id } = await peer.next('call');
    const send = (count, fields = {}) => {
      for (let each = 0; each < count; each += 1) {
        peer.send({ op: 'data', id, ...fields }, `"${'x'.repeat(98)}"`);
      }
    };
    await work({ client, peer, reply, id, send });
  });
}

const EACH = 100 + COST;

test('credit comes with reading, not with arriving, half a window at a time', async () => {
  await flowing(
    async ({ peer, reply, send }) => {
      send(10);
      await peer.nothing();
      const reader = reply[Symbol.asyncIterator]();
      for (let round = 0; round < 2; round += 1) {
        for (let count = 0; count < 4; count += 1) await bounded(reader.next());
        await peer.nothing();
        await bounded(reader.next());
        assert.equal((await peer.next('credit')).bytes, 5 * EACH);
      }
    },
    { window: 10 * EACH },
  );
});

test('the fastest reader grants, the others nothing', async () => {
  await flowing(
    async ({ peer, reply, send }) => {
      send(10);
      send(1, { end: true });
      const fast = reply[Symbol.asyncIterator]();
      const slow = reply[Symbol.asyncIterator]();
      for (let count = 0; count < 5; count += 1) await bounded(fast.next());
      await until(() => reply.isDone, 'the end');
      await peer.nothing(); // After the end nobody needs credit.
      assert.equal((await bounded(all(slow))).length, 11);
      await peer.nothing();
    },
    { window: 20 * EACH },
  );
});

test('a window of one is granted with each message', async () => {
  await flowing(
    async ({ peer, reply, send }) => {
      const reader = reply[Symbol.asyncIterator]();
      for (let count = 0; count < 3; count += 1) {
        send(1);
        await bounded(reader.next());
        assert.equal((await peer.next('credit')).bytes, EACH);
      }
    },
    { window: 1 },
  );
});

test('a call that collects one value grants as it comes', async () => {
  await linked(async (client, peer) => {
    const calling = client.call('a');
    const { id } = await peer.next('call');
    const piece = Buffer.alloc(262_144 - COST);
    const fields = { op: 'data', id, content_type: 'application/octet-stream' };
    for (let round = 0; round < 4; round += 1) {
      peer.send({ ...fields, part: true }, piece);
      peer.send({ ...fields, part: true }, piece);
      assert.equal((await peer.next('credit')).bytes, WINDOW / 2);
    }
    peer.send({ ...fields, end: true });
    assert.equal((await bounded(calling)).length, 8 * piece.length);
  });
});

test('an agent grants for the input that it reads', async () => {
  let reader;
  const agent = (messages) => {
    reader = messages;
    return new Promise(() => {});
  };
  await hosting({ a: [agent, { receives: 'messages' }] }, async (peer) => {
    const id = peer.call('a', '', { input: true });
    const piece = Buffer.alloc(262_144 - COST);
    for (let count = 0; count < 4; count += 1) peer.send({ op: 'data', id }, piece);
    await peer.nothing();
    await bounded(reader.next());
    await peer.nothing();
    await bounded(reader.next());
    assert.deepEqual(
      await peer.next('credit'),
      { op: 'credit', id, bytes: WINDOW / 2, content: Buffer.alloc(0) },
    );
  });
});

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

/** The contents of ten messages, seen weakly, while the stream they came in goes on. */
async function contentsOf(work, isKept) {
  await linked(async (client, peer) => {
    const contents = [];
    const take = ({ content }) => contents.push(new WeakRef(content));
    let kept;
    const reading = (async () => {
      if (isKept) {
        kept = client.stream('a');
        for await (const each of kept.messages()) take(each);
      } else {
        for await (const each of client.stream('a').messages()) take(each);
      }
    })();
    const { id } = await peer.next('call');
    for (let count = 1; count <= 10; count += 1) {
      peer.send({ op: 'data', id }, JSON.stringify('x'.repeat(10_000)));
      await until(() => contents.length === count, 'the message');
    }
    await work(contents);
    peer.send({ op: 'data', id, end: true });
    await bounded(reading);
    assert.equal(kept?.isDone, isKept ? true : undefined);
  });
}

const living = (contents) => {
  collect();
  return contents.filter((each) => each.deref() !== undefined).length;
};

test('a reply that nobody keeps is not remembered', async () => {
  await contentsOf((contents) => until(() => living(contents) <= 2, 'the collector'), false);
});

test('a reply that is kept is remembered whole', async () => {
  await contentsOf(async (contents) => {
    for (let round = 0; round < 5; round += 1) {
      await settled();
      assert.equal(living(contents), 10);
    }
  }, true);
});

test('a reply, and a reader, that are forgotten leave their call', async () => {
  await linked(async (client, peer) => {
    const forget = async () => {
      client.stream('unread');
      const reader = client.stream('a')[Symbol.asyncIterator]();
      const reading = reader.next();
      await peer.next('call');
      const { id } = await peer.next('call');
      peer.answer(id, 1, {});
      await bounded(reading);
    };
    await forget();
    const ids = [];
    const reading = (async () => {
      while (ids.length < 2) ids.push((await peer.next('cancel')).id);
    })();
    await until(() => {
      collect();
      return ids.length === 2;
    }, 'the cancels');
    await reading;
    assert.deepEqual(ids.sort(), [1, 3]);
  });
});

test('a fast generator lets others have their turn', async () => {
  const agent = counting(() => 1);
  await hosting({ a: agent, b: () => 'b' }, async (peer) => {
    const id = peer.call('a', '', { window: 2 ** 31 - 1 });
    const other = peer.call('b');
    for (;;) {
      const got = await peer.next('data');
      if (got.id === other) break;
    }
    peer.send({ op: 'cancel', id });
    while ((await peer.next()).op !== 'error');
  });
});

test('a socket that takes nothing stops the senders, and drains', async () => {
  await linked(async (client, peer) => {
    const exchanges = Array.from({ length: 8 }, (_, each) => client.open(`a:${each}`));
    const content = Buffer.alloc(600_000, 5);
    const sending = Promise.all(exchanges.map((each) => each.send(content)));
    let size = 0;
    while (size < 8 * content.length) size += (await peer.next()).content.length;
    await bounded(sending);
    assert.equal(size, 8 * content.length);
  });
});
