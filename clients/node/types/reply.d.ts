/**
 * What a call answers: iterate over its values as they come, or take the one `value()`.
 *
 * Any number of readers, early or late, read the same from the start. Leaving the last loop over
 * it, or `cancel`, cancels the call down to the agent. A reply that is not kept is not remembered.
 *
 * @template [T=any]
 * @implements {AsyncIterable<T>}
 */
export class Reply<T = any> implements AsyncIterable<T> {
    /**
     * The library's side of a reply.
     *
     * @internal
     * @param {Reply} reply
     * @returns {OwnCall}
     */
    static callOf(reply: Reply): OwnCall;
    /**
     * Made by `client.stream`.
     *
     * @param {OwnCall} call
     * @param {Receiving} receiving
     */
    constructor(call: OwnCall, receiving: Receiving);
    /** What was called. */
    get address(): string;
    /** The last frame is here, or the call failed. */
    get isDone(): boolean;
    /** The error that ended it, if one did. */
    get error(): import("./errors.js").AgentError | undefined;
    /**
     * Messages with type, content type and ext. With `errors`, an error at a position of the stream
     * is a message with `error` set; else it is thrown there.
     *
     * @param {{ errors?: boolean }} options
     * @returns {AsyncIterableIterator<Message>}
     */
    messages({ errors }?: {
        errors?: boolean;
    }): AsyncIterableIterator<Message>;
    /**
     * Pieces as they come, tokens for instance: strings of texts, Buffers of anything else.
     *
     * @returns {AsyncIterableIterator<string | Buffer>}
     */
    parts(): AsyncIterableIterator<string | Buffer>;
    /**
     * One value: null if nothing came, the value if one did, several texts joined, others listed;
     * `collect` says otherwise.
     *
     * @param {{ collect?: Collect }} options
     * @returns {Promise<any>}
     */
    value({ collect }?: {
        collect?: Collect;
    }): Promise<any>;
    /**
     * Interrupts the agent that answers: it may have something better to do than to go on, and finish
     * the reply. Throws `failed_precondition`/`not_running` where nothing runs.
     *
     * @param {unknown} [payload] What the agent is told: any value.
     * @param {SignalOptions} [options]
     * @returns {Promise<void>}
     */
    interrupt(payload?: unknown, options?: import("./options.js").SignalOptions | undefined): Promise<void>;
    /**
     * Sends a signal of the agent's own to the call that answers, past all that waits.
     *
     * @param {string} name Two segments or more: `steer.note`.
     * @param {unknown} [payload]
     * @param {SignalOptions} [options]
     * @returns {Promise<void>}
     */
    signal(name: string, payload?: unknown, options?: import("./options.js").SignalOptions | undefined): Promise<void>;
    /** Cancels the call if it has not ended; readers get `cancelled`. */
    cancel(): void;
    /** @returns {AsyncIterableIterator<T>} */
    [Symbol.asyncIterator](): AsyncIterableIterator<T>;
    /** @returns {Promise<void>} As `cancel`. */
    [Symbol.asyncDispose](): Promise<void>;
    #private;
}
/**
 * A call open in both directions: `send`, `end`, and the reply to iterate over.
 *
 * @template [T=any]
 * @extends {Reply<T>}
 */
export class Exchange<T = any> extends Reply<T> {
    /**
     * Sends one message; resolves once the agent's window and the socket have taken it. Throws what
     * ended the call.
     *
     * @param {unknown} value
     * @param {import('./content.js').MessageOptions & { signal?: AbortSignal }} [options] `signal`
     *   cancels the call.
     * @returns {Promise<void>}
     */
    send(value: unknown, options?: (import("./content.js").MessageOptions & {
        signal?: AbortSignal | undefined;
    }) | undefined): Promise<void>;
    /**
     * No more input. The reply goes on. After the end of the call, nothing.
     *
     * @returns {Promise<void>}
     */
    end(): Promise<void>;
    #private;
}
export type OwnCall = import('./calls.js').OwnCall;
export type Collect = import('./content.js').Collect;
export type Message = import('./content.js').Message;
export type SignalOptions = import('./options.js').SignalOptions;
export type Link = import('./receiving.js').Link;
export type Receiving = import('./receiving.js').Receiving;
export type Sending = import('./sending.js').Sending;
