/** What an agent is made of: a function, or a class with operations. */

import { encodeJson } from './content.js';
import { UnimplementedError } from './errors.js';

/** @typedef {import('./context.js').Context} Context */
/** @typedef {import('./schema.js').Schema} Schema */
/** @typedef {import('./schema.js').Validate} Validate */

/**
 * What a function gets as its first argument: the value of the first message (undefined where there
 * is none), that `Message` unread, or an async iterable of all values or messages of the input.
 *
 * @typedef {'value' | 'message' | 'values' | 'messages'} Receives
 */

/**
 * @typedef {object} OperationOptions
 * @property {string} [description] What discovery shows.
 * @property {Schema} [input] JSON Schema of a message. What does not fit its `type`, `enum`,
 *   `required`, `properties` or `items` is refused (`invalid_argument`/`bad_content`) before the
 *   function runs, where it gets values.
 * @property {Schema} [output] JSON Schema of each value that comes back.
 * @property {Validate | boolean} [validate] Looks at each value in place of the light check of
 *   `input`, and at what is answered by `output`: what does not fit ends the call
 *   (`internal`/`bad_reply`). `true`: the light check of both.
 * @property {boolean} [streaming] It answers any number of messages: of generators this is known.
 * @property {Receives} [receives] `value` unless given.
 */

/**
 * @typedef {object} Typed
 * @property {string} [type] The type of message it handles: the method's name unless given.
 */

/** @typedef {Readonly<Record<string, OperationOptions & Typed>>} Operations By method. */

/**
 * An agent that is a function. What it returns is the one value; undefined is none; a `Delegated`
 * is passed on unread; a `Reply` or any async iterable message by message. A generator answers what
 * it yields, and behind that the `Delegated` or `Reply` that it returns.
 *
 * @typedef {(value: any, context: Context) => unknown} AgentFunction
 */

/**
 * An agent that is a class: an instance per session, whose methods handle messages by their type.
 * An instance may have a method `closed(reason)`, called when its session ends.
 *
 * @typedef {{ new (context: Context): object, readonly operations: Operations }} AgentClass
 */

/**
 * Holds a class to what its `operations` say: every key is one of its methods.
 *
 * @template C
 * @typedef {C extends { new (context: Context): infer I, readonly operations: infer O }
 *   ? { readonly operations: { [M in keyof O]: string extends M ? O[M] : M extends keyof I
 *     ? I[M] extends (...rest: never[]) => unknown ? OperationOptions & Typed : never : never } }
 *   : unknown} Checked
 */

/** One kind of message that an agent handles, and what handles it. */
export class Operation {
  /**
   * @param {string} name The type of message.
   * @param {AgentFunction} work
   * @param {OperationOptions} options
   */
  constructor(name, work, options) {
    this.name = name;
    this.work = work;
    this.description = options.description ?? '';
    this.input = options.input;
    this.output = options.output;
    this.validate = typeof options.validate === 'function' ? options.validate : undefined;
    /** What is answered is looked at too. */
    this.checksReplies = Boolean(options.validate);
    this.receives = options.receives ?? 'value';
    this.isStreaming = options.streaming ?? isGenerator(work);
    if (!['value', 'message', 'values', 'messages'].includes(this.receives)) {
      throw new TypeError(`${name} receives ${this.receives}, which is nothing that can be had`);
    }
  }
}

/** The operations of an agent, and the class of its sessions if it has one. */
export class AgentSpec {
  /** @type {Map<string, Operation>} */
  #byType = new Map();
  /** @type {Operation | undefined} Handles whatever type. */
  #any;
  /** @type {Operation | undefined} Handles messages without a type. */
  #only;

  /**
   * @param {string} name The agent's.
   * @param {AgentFunction | AgentClass} target
   * @param {OperationOptions} options Of a function.
   */
  constructor(name, target, options) {
    if (typeof target !== 'function') throw new TypeError('an agent is a function or a class');
    /** @type {AgentClass | undefined} */
    this.cls = isClass(target) ? /** @type {AgentClass} */ (target) : undefined;
    if (this.cls === undefined) {
      const last = name.slice(name.lastIndexOf('.') + 1);
      const work = /** @type {AgentFunction} */ (target);
      this.#any = new Operation(work.name || last, work, { ...options, description: '' });
      this.operations = [this.#any];
      return;
    }
    this.operations = operationsOf(this.cls, options.validate);
    for (const each of this.operations) {
      if (this.#byType.has(each.name)) throw new TypeError(`two operations handle "${each.name}"`);
      this.#byType.set(each.name, each);
    }
    if (this.operations.length === 1) [this.#only] = this.operations;
  }

  /**
   * The operation for a message's type. A function takes any; throws UnimplementedError if a class
   * has none for it.
   *
   * @param {string} type
   * @returns {Operation}
   */
  operation(type) {
    if (this.#any !== undefined) return this.#any;
    const found = this.#byType.get(type) ?? (type === '' ? this.#only : undefined);
    if (found !== undefined) return found;
    const known = [...this.#byType.keys()].join(' ');
    throw new UnimplementedError(`no operation for type "${type}"; there is ${known}`, {
      reason: 'unhandled_type',
      details: { type, operations: known },
    });
  }

  /** The operations as `register` carries them. */
  content() {
    return encodeJson(
      this.operations.map(({ name, description, input, output, isStreaming }) => ({
        name,
        ...(description !== '' && { description }),
        ...(input !== undefined && { input }),
        ...(output !== undefined && { output }),
        streaming: isStreaming,
      })),
    );
  }
}

/**
 * @param {AgentClass} cls
 * @param {Validate | boolean | undefined} validate Unless an operation says otherwise.
 */
function operationsOf(cls, validate) {
  const { operations } = cls;
  if (typeof operations !== 'object' || operations === null) {
    throw new TypeError(`${cls.name} has no \`static operations\``);
  }
  const found = Object.entries(operations).map(([method, options]) => {
    const work = cls.prototype[method];
    if (typeof work !== 'function') {
      throw new TypeError(`${cls.name}.operations names ${method}, which is no method`);
    }
    return new Operation(options.type ?? method, work, { validate, ...options });
  });
  if (found.length === 0) throw new TypeError(`${cls.name}.operations is empty`);
  return found;
}

/** @param {Function} target */
function isClass(target) {
  // The prototype of a class cannot be replaced, that of a function can.
  return Object.getOwnPropertyDescriptor(target, 'prototype')?.writable === false;
}

/** @param {Function} work */
function isGenerator(work) {
  const kind = Object.prototype.toString.call(work);
  return kind === '[object AsyncGeneratorFunction]' || kind === '[object GeneratorFunction]';
}
