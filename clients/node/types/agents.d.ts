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
    constructor(name: string, work: AgentFunction, options: OperationOptions);
    name: string;
    work: AgentFunction;
    description: string;
    input: import("./schema.js").Schema | undefined;
    output: import("./schema.js").Schema | undefined;
    validate: import("./schema.js").Validate | undefined;
    /** What is answered is looked at too. */
    checksReplies: boolean;
    receives: Receives;
    isStreaming: boolean;
}
/** The operations of an agent, and the class of its sessions if it has one. */
export class AgentSpec {
    /**
     * @param {string} name The agent's.
     * @param {AgentFunction | AgentClass} target
     * @param {OperationOptions} options Of a function.
     */
    constructor(name: string, target: AgentFunction | AgentClass, options: OperationOptions);
    /** @type {AgentClass | undefined} */
    cls: AgentClass | undefined;
    operations: Operation[];
    /**
     * The operation for a message's type. A function takes any; throws UnimplementedError if a class
     * has none for it.
     *
     * @param {string} type
     * @returns {Operation}
     */
    operation(type: string): Operation;
    /** The operations as `register` carries them. */
    content(): string;
    #private;
}
export type Context = import('./context.js').Context;
export type Schema = import('./schema.js').Schema;
export type Validate = import('./schema.js').Validate;
/**
 * What a function gets as its first argument: the value of the first message (undefined where there
 * is none), that `Message` unread, or an async iterable of all values or messages of the input.
 */
export type Receives = 'value' | 'message' | 'values' | 'messages';
export type OperationOptions = {
    /**
     * What discovery shows.
     */
    description?: string | undefined;
    /**
     * JSON Schema of a message. What does not fit its `type`, `enum`,
     * `required`, `properties` or `items` is refused (`invalid_argument`/`bad_content`) before the
     * function runs, where it gets values.
     */
    input?: import("./schema.js").Schema | undefined;
    /**
     * JSON Schema of each value that comes back.
     */
    output?: import("./schema.js").Schema | undefined;
    /**
     * Looks at each value in place of the light check of
     * `input`, and at what is answered by `output`: what does not fit ends the call
     * (`internal`/`bad_reply`). `true`: the light check of both.
     */
    validate?: boolean | import("./schema.js").Validate | undefined;
    /**
     * It answers any number of messages: of generators this is known.
     */
    streaming?: boolean | undefined;
    /**
     * `value` unless given.
     */
    receives?: Receives | undefined;
};
export type Typed = {
    /**
     * The type of message it handles: the method's name unless given.
     */
    type?: string | undefined;
};
/**
 * By method.
 */
export type Operations = Readonly<Record<string, OperationOptions & Typed>>;
/**
 * An agent that is a function. What it returns is the one value; undefined is none; a `Delegated`
 * is passed on unread; a `Reply` or any async iterable message by message. A generator answers what
 * it yields, and behind that the `Delegated` or `Reply` that it returns.
 */
export type AgentFunction = (value: any, context: Context) => unknown;
/**
 * An agent that is a class: an instance per session, whose methods handle messages by their type.
 * An instance may have a method `closed(reason)`, called when its session ends.
 */
export type AgentClass = {
    new (context: Context): object;
    readonly operations: Operations;
};
/**
 * Holds a class to what its `operations` say: every key is one of its methods.
 */
export type Checked<C> = C extends {
    new (context: Context): infer I;
    readonly operations: infer O;
} ? {
    readonly operations: { [M in keyof O]: string extends M ? O[M] : M extends keyof I ? I[M] extends (...rest: never[]) => unknown ? OperationOptions & Typed : never : never; };
} : unknown;
