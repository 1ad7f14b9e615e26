// A program against the package's exports: what must type check does, what must not does not.
import {
  connect,
  outOfOrder,
  AgentError,
  ErrorCode,
  Interrupted,
  Message,
  NotFoundError,
  Part,
  type AgentCard,
  type CallOptions,
  type Change,
  type Context,
  type Delegated,
  type Operations,
  type Reply,
  type Run,
  type Signal,
} from '@coagent/client';

class Counter {
  static operations = {
    add: { input: { type: 'integer' }, output: { type: 'integer' }, receives: 'value' as const },
    reset: { type: 'Reset', description: 'Starts again' },
    countUp: { streaming: true },
  };

  total = 0;

  constructor(readonly context: Context) {}

  add(number: number): number {
    this.total += number;
    return this.total;
  }

  reset(): void {
    this.total = 0;
  }

  async *countUp(to: number) {
    for (let each = 1; each <= to; each += 1) yield each;
  }

  async closed(reason: string) {
    console.log(reason);
  }
}

function tellRun(word: string): void {
  console.log(word);
}

function tell(change: Change): void {
  console.log(change.revision, change.registered[0].name, change.deregistered);
}

const shared: Operations = { add: { type: 'Add' } };

class Typed {
  static operations = shared;
  add() {}
}

class Wrong {
  static operations = { missing: {} };
  add() {}
}

class NoMethod {
  static operations = { total: {} };
  total = 0;
}

export async function main(signal: AbortSignal): Promise<void> {
  const client = await connect('unix:/tmp/s', { name: 'demo', waitMs: 1000, signal });
  const counter = await client.register('counter', Counter, { idleMs: 0, labels: { team: 'a' } });
  await client.register('plain', (text: string, context: Context) => `${context.session}${text}`);
  await client.register('stream', async function* stream(text: string) {
    for (const word of text.split(' ')) yield new Part(word);
  });
  await client.register('passes', async (_: unknown, context) => context.stream('stream', 'a'));
  await client.register('made', Counter, { make: async (context) => new Counter(context) });
  await client.register('typed', Typed);
  await client.register('hooked', (_: unknown, { signal, cancelSignal, interrupted }) => {
    const payload: unknown = interrupted?.payload;
    return [signal.reason instanceof Interrupted, cancelSignal.aborted, payload];
  }, {
    onInterrupt: (payload: string, context) => console.log(payload, context.address),
    onSignal: async (name: string, payload: { x: number }, signal: Signal) => payload.x,
  });
  await client.register('front', (text: string, context): Delegated<string> => {
    return context.delegate('back', text, { lazy: true, signal: context.signal });
  });
  await client.register('report', async function* report(text: string, context: Context) {
    yield context.delegate('search', text);
    yield outOfOrder('urgent');
    return context.delegate('summary', text);
  });
  const asRun = { run: 'r', detach: true, collect: 'list' } as const;
  const all: unknown[] = await client.call('back', 'x', asRun);
  for await (const word of client.attach('r', { from: all.length, timeoutMs: 1000 })) tellRun(word);
  const runs: Run[] = await client.runs({ state: 'ended', signal });
  tellRun(runs[0].endedMs?.toFixed() ?? (await client.describeRun('r')).name);
  // @ts-expect-error: there is no such way to collect.
  await client.call('back', 'x', { collect: 'first' });
  await client.interrupt({ run: 'r' }, 'be brief', { timeoutMs: 1000, ack: false });
  await client.signal('counter:a', 'steer.note');
  await client.pause('counter:a', { signal });
  // @ts-expect-error: only runs are named by an object.
  await client.cancel({ to: 'counter:a' });
  // @ts-expect-error: Wrong has no method `missing`.
  await client.register('wrong', Wrong);
  // @ts-expect-error: total is no method.
  await client.register('no.method', NoMethod);
  // @ts-expect-error: an agent is a function or a class.
  await client.register('text', 'text');
  // @ts-expect-error: there is no such option.
  await client.call('counter', 1, { timeout: 5 });

  const options: CallOptions = { type: 'add', timeoutMs: 100, signal };
  const value: number = await client.call('counter:ann', 2, options);
  const reply: Reply = client.stream('stream', `${value}`, { lazy: true, window: 1 });
  for await (const each of reply) console.log(each);
  for await (const each of reply.messages({ errors: true })) console.log(each.type, each.ext.mark);
  for await (const piece of reply.parts()) console.log(piece.length);
  const exchange = client.open('stream');
  await exchange.send(Message.of({ a: 1 }, { type: 'A' }));
  await exchange.end();
  const [card]: AgentCard[] = await client.discover('', { detailed: true });
  console.log(card.labels.team, card.operations[0].input);
  for await (const change of client.watch('', { recursive: true, signal })) {
    tell(change);
  }
  try {
    await client.send('counter:ann', 1, { ack: false, observe: true });
  } catch (error) {
    if (error instanceof NotFoundError) console.log(error.details.agent);
    if (error instanceof AgentError && error.code === ErrorCode.notFound) throw error;
    throw AgentError.of('aborted', 'no', { reason: 'why', details: { a: 1 } });
  }
  await counter.close();
  await client.drain({ timeoutMs: 100 });
}

export async function disposes(): Promise<void> {
  const client = await connect();
  const watch = client.watch();
  const registration = await client.register('a', () => 1);
  const things: Array<{ [Symbol.asyncDispose](): Promise<void> }> = [
    client,
    registration,
    watch,
    client.stream('a'),
    client.open('a'),
  ];
  for (const each of things) await each[Symbol.asyncDispose]();
}
