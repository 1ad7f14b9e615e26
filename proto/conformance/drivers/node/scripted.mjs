/** Agents whose calls do what the runner says next. */

import {
  AbortedError,
  AgentError,
  InternalError,
  Interrupted,
  Message,
  outOfOrder,
} from '../../../../clients/node/src/index.js';
import { bodyOf, messageJson, messageOf, partOf } from './values.mjs';

/** One call that is being handled: the commands for it in their order, and what it answers. */
class ScriptedCall {
  #emit;
  #isStubborn;
  #messages;
  #steps = [];
  #wanting;
  #last;
  #forwarded;
  #asked;
  #isOver = false;
  #replies;
  #goesOn;
  #escaping;
  #ended;
  #end;

  constructor(name, messages, context, { stubborn = false, interrupts }, { emit, replies }) {
    this.name = name;
    this.#replies = replies;
    this.context = context;
    this.#messages = messages;
    this.#isStubborn = stubborn;
    this.#goesOn = interrupts === 'go_on';
    this.#emit = emit;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    context.signal.addEventListener('abort', () => this.#interrupted(context.signal.reason));
    context.cancelSignal.addEventListener('abort', () => this.#cancelled());
  }

  /** The first message, if it came with the call: what is there already takes no waiting. */
  async first() {
    let result;
    const taking = this.#messages.next().then((taken) => {
      result = taken;
    });
    await null;
    await null;
    if (result === undefined) {
      await this.#messages.return(); // What comes later is read when the runner wants it.
      await taking;
      this.#messages = this.context.messages();
    }
    return result?.value;
  }

  async input() {
    const { value, done } = await this.#messages.next();
    return done ? { end: true } : { message: messageJson(value) };
  }

  /** A command for this call; resolves once it is done, which for a reply is when it went out. */
  step(command) {
    return new Promise((resolve) => {
      this.#steps.push({ command, done: resolve });
      this.#wanting?.();
    });
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  /** What the client sends next; it asks again when that went out. One answer at a time. */
  next() {
    const before = this.#asked;
    const asked = (async () => {
      await before?.catch(() => {});
      return this.#next();
    })();
    this.#asked = asked;
    return asked;
  }

  async #next() {
    this.#last?.done();
    this.#last = undefined;
    if (this.#forwarded !== undefined) return this.#forwarded.next();
    if (this.#isOver) return this.#over();
    while (this.#steps.length === 0 && !this.#isOver && this.#escaping === undefined) {
      await new Promise((resolve) => {
        this.#wanting = resolve;
      });
    }
    if (this.#escaping !== undefined) return this.throw(this.#escaping);
    if (this.#steps.length === 0) return this.#over();
    this.#last = this.#steps.shift();
    return this.#perform(this.#last.command);
  }

  /** It was interrupted where it stood, with a reply that waits to go out or has. */
  throw(interrupted) {
    if (this.#goesOn) return this.next();
    this.#over();
    throw interrupted;
  }

  /** The call was cancelled: a stubborn one ends only when told to. */
  async return() {
    this.#last?.done();
    this.#last = undefined;
    await this.#forwarded?.return();
    if (!this.#isStubborn) return this.#over();
    for (;;) {
      const { value, done } = await this.next().catch(() => ({ done: true }));
      if (done) return { value, done };
    }
  }

  #perform(step) {
    switch (step.do) {
      case 'reply':
        return { value: replyOf(step), done: false };
      case 'splice': {
        const reply = this.#replies(step.of);
        return { value: step.unordered ? outOfOrder(reply) : reply, done: false };
      }
      case 'hand_off':
        this.#over();
        return { value: this.#replies(step.of), done: true };
      case 'answer':
        this.#isOver = true;
        if (step.body === undefined) return this.#over();
        return { value: messageOf(step.body), done: false };
      case 'forward': {
        const reply = this.context.stream(step.to, bodyOf(step.body));
        this.#forwarded = reply.messages({ errors: true });
        return this.#forwarded.next();
      }
      case 'fail_at':
        return { value: Message.failed(chosen(step)), done: false };
      default:
        this.#isOver = true;
        this.#over();
        throw 'code' in step ? chosen(step) : plain(step);
    }
  }

  #interrupted(reason) {
    if (!(reason instanceof Interrupted)) return;
    this.#emit(interruptedJson(this.name, reason));
    if (this.#goesOn) return;
    this.#escaping = reason;
    this.#wanting?.();
  }

  #cancelled() {
    this.#emit({ event: 'cancelled', call: this.name });
    if (this.#isStubborn) return;
    this.#isOver = true;
    this.#wanting?.();
  }

  #over() {
    this.#isOver = true;
    this.#last?.done();
    for (const { done } of this.#steps) done();
    this.#steps = [];
    this.#end();
    return { value: undefined, done: true };
  }

  get ended() {
    return this.#ended;
  }
}

/** All calls of scripted agents. */
export class ScriptedCalls {
  #emit;
  #replies;
  #calls = new Map();
  #callNumber = 0;
  #instanceNumber = 0;

  /** What calls opened here answer is found by their names with `replies`. */
  constructor(emit, replies) {
    this.#emit = emit;
    this.#replies = replies;
    const step = (command) => this.#call(command).step(command);
    this.commands = {
      input: (command) => this.#call(command).input(),
      reply: step,
      answer: step,
      fail: step,
      fail_at: step,
      forward: step,
      splice: step,
      hand_off: step,
    };
    this.agents = {
      scripted: (command) => ({
        target: (messages, context) => this.#handle(messages, context, command, ''),
        options: { receives: 'messages', ...this.#hooks(command) },
      }),
      sessions: (command) => ({ target: this.#sessions(command) }),
    };
  }

  /** What the registration said to do when signalled. */
  #hooks({ interrupts, hook_fails: failure, signals }, instance) {
    const emit = this.#emit;
    const name = (context) => {
      const calls = [...this.#calls.values()];
      return calls.find((each) => each.context === context)?.name;
    };
    const hooks = {};
    if (interrupts === 'hook') {
      hooks.onInterrupt = (_, context) => {
        emit(interruptedJson(name(context), context.interrupted));
        if (failure !== undefined) throw new Error(failure);
      };
    }
    if (signals) {
      hooks.onSignal = (_name, _payload, signal) => {
        emit(signalledJson(signal, name(signal.context), instance));
        if (signals === 'fail') throw new AbortedError('not now', { reason: 'not_now' });
      };
    }
    return hooks;
  }

  /** The context of a call that is being handled here. */
  context(name) {
    return this.#calls.get(name).context;
  }

  #call({ call }) {
    const found = this.#calls.get(call);
    if (found === undefined) throw new Error(`no call ${call}`);
    return found;
  }

  #sessions(command) {
    const emit = this.#emit;
    const nextName = () => `i${(this.#instanceNumber += 1)}`;
    const handle = (...rest) => this.#handle(...rest);
    const hooks = (instance) => this.#hooks(command, instance);
    return class Sessions {
      static operations = { handle: { receives: 'messages' } };

      constructor({ address }) {
        this.name = nextName();
        Object.assign(this, hooks(this.name));
        emit({ event: 'opened', instance: this.name, address });
      }

      handle(messages, context) {
        return handle(messages, context, command, this.name);
      }

      closed(reason) {
        emit({ event: 'closed', instance: this.name, reason });
      }
    };
  }

  async #handle(messages, context, command, instance) {
    const name = `h${(this.#callNumber += 1)}`;
    const call = new ScriptedCall(name, messages, context, command, {
      emit: this.#emit,
      replies: this.#replies,
    });
    this.#calls.set(name, call);
    call.ended.then(() => this.#calls.delete(name));
    this.#emit(calledJson(call, await call.first(), instance));
    return call;
  }
}

function replyOf({ body, part, unordered }) {
  if (part) return partOf(body);
  return unordered ? outOfOrder(messageOf(body)) : messageOf(body);
}

function chosen({ code, reason, message, details }) {
  const options = { reason, details };
  const error = AgentError.of(code, message, options);
  if (error.code === code) return error;
  return Object.assign(new InternalError(message, options), { code }); // One that nobody knows.
}

function plain({ message = 'failed', cause }) {
  if (cause === undefined) return new Error(message);
  return new Error(message, { cause: new RangeError(cause) });
}

function interruptedJson(call, interrupted) {
  return { event: 'interrupted', call, ...payloadJson(interrupted) };
}

function signalledJson(signal, call, instance) {
  const { name, address } = signal;
  const told = { event: 'signalled', name, address, ...payloadJson(signal) };
  if (call !== undefined) return { ...told, call };
  return instance === undefined ? told : { ...told, instance };
}

function payloadJson({ payload, contentType, sender }) {
  const told = sender === '' ? {} : { sender };
  if (payload === undefined) return told;
  return { ...told, message: messageJson(Message.of(payload, contentType && { contentType })) };
}

function calledJson({ name, context }, message, instance) {
  const { address, type, sender, ext, trace, topic, source, timeLeftMs } = context;
  const { isNew, isSend, isObservation } = context;
  const told = { event: 'called', call: name, address };
  const said = {
    instance,
    type,
    sender,
    ext: Object.keys(ext).length > 0 && ext,
    trace,
    topic,
    source,
    new: isNew,
    oneway: isSend,
    observe: isObservation,
  };
  for (const [key, value] of Object.entries(said)) if (value) told[key] = value;
  if (timeLeftMs !== undefined) told.time_left_ms = Math.round(timeLeftMs);
  if (message !== undefined) told.message = messageJson(message);
  return told;
}
