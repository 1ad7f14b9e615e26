/**
 * The call that is being handled where this is asked, or undefined.
 *
 * @returns {Context | undefined}
 */
export function currentContext(): Context | undefined;
/**
 * Runs a function in which, and in whatever it starts, this is the current context.
 *
 * @template R
 * @param {Context | undefined} context
 * @param {() => R} work
 * @returns {R}
 */
export function inContext<R>(context: Context | undefined, work: () => R): R;
/** The library's side of the current context. */
export function currentCall(): import("./hosted-call.js").HostedCall | undefined;
/**
 * The call being handled: the second argument of an agent's function.
 *
 * Calls made through it, or through the client while it is handled, are children of this call:
 * they have at most its time, end when it is cancelled, and carry its `trace` and `ext`.
 *
 * @implements {AsyncIterable<any>}
 */
export class Context implements AsyncIterable<any> {
    /**
     * The library's side of a context.
     *
     * @internal
     * @param {Context} context
     * @returns {HostedCall}
     */
    static callOf(context: Context): HostedCall;
    /**
     * @param {HostedCall} call
     * @param {Header} header
     */
    constructor(call: HostedCall, header: Header);
    /** What was called: `name` or `name:session`. */
    get address(): string;
    /** The agent's name. */
    get name(): string;
    /** The session, or "" if the call has none. */
    get session(): string;
    /**
     * The address of another agent's session of the same name, for any verb; just the name where this
     * call has no session.
     *
     * @param {string} name
     */
    inSession(name: string): string;
    /** The address of the agent that calls, or "". */
    get sender(): string;
    /** The type of the first message, or "". */
    get type(): string;
    /** What the caller said to whoever handles this. It proves nothing. */
    get ext(): Readonly<Record<string, import("./errors.js").Detail>>;
    /** The caller's traceparent, or "". */
    get trace(): string;
    /** The topic this message was published to, or "" if it was not. */
    get topic(): string;
    /** Whom that message concerns, or "". */
    get source(): string;
    /** This call creates its session. */
    get isNew(): boolean;
    /** Nobody waits for an answer; what is returned is dropped. */
    get isSend(): boolean;
    /** A message to take note of, not to act on. */
    get isObservation(): boolean;
    /** When the caller stops waiting, in milliseconds as `Date.now()` counts them, or undefined. */
    get deadline(): number | undefined;
    /** Milliseconds until then, or undefined. */
    get timeLeftMs(): number | undefined;
    /**
     * Aborted when the caller left or its time is over, with an AgentError that says which; or, with
     * an `Interrupted`, when somebody has something better for the agent to do, which may then finish
     * its reply.
     */
    get signal(): AbortSignal;
    /** As `signal`, but not aborted by an interrupt: for what is done behind one. */
    get cancelSignal(): AbortSignal;
    /** The newest interruption of the call, or undefined. */
    get interrupted(): import("./errors.js").Interrupted | undefined;
    /**
     * The input behind the message that the function got as its argument. Credit is granted as this
     * is read.
     *
     * @returns {AsyncIterableIterator<Message>}
     */
    messages(): AsyncIterableIterator<Message>;
    /**
     * As `Client.call`, as a child of this call.
     *
     * @param {string} to
     * @param {unknown} [body]
     * @param {CallOptions} [options]
     * @returns {Promise<any>}
     */
    call(to: string, body?: unknown, options?: import("./options.js").CallOptions | undefined): Promise<any>;
    /**
     * As `Client.stream`, as a child of this call.
     *
     * @param {string} to
     * @param {unknown} [body]
     * @param {StreamOptions} [options]
     */
    stream(to: string, body?: unknown, options?: import("./options.js").StreamOptions | undefined): import("./reply.js").Reply<any>;
    /**
     * Calls an agent, at once, for what it answers to be passed on unread: yielded, it stands in this
     * place of the reply; returned, it is the rest of it.
     *
     * @param {string} to
     * @param {unknown} [body]
     * @param {StreamOptions} [options]
     * @returns {Delegated}
     */
    delegate(to: string, body?: unknown, options?: import("./options.js").StreamOptions | undefined): Delegated;
    /**
     * As `Client.open`, as a child of this call.
     *
     * @param {string} to
     * @param {unknown} [body]
     * @param {StreamOptions} [options]
     */
    open(to: string, body?: unknown, options?: import("./options.js").StreamOptions | undefined): import("./reply.js").Exchange<any>;
    /**
     * As `Client.send`, as a child of this call.
     *
     * @param {string} to
     * @param {unknown} [body]
     * @param {SendOptions} [options]
     * @returns {Promise<void>}
     */
    send(to: string, body?: unknown, options?: import("./options.js").SendOptions | undefined): Promise<void>;
    /**
     * As `Client.publish`, as a child of this call.
     *
     * @param {string} topic
     * @param {unknown} [body]
     * @param {PublishOptions} [options]
     * @returns {Promise<void>}
     */
    publish(topic: string, body?: unknown, options?: import("./options.js").PublishOptions | undefined): Promise<void>;
    /**
     * As `Client.interrupt`, in the name of this agent.
     *
     * @param {Target} to
     * @param {unknown} [payload]
     * @param {SignalOptions} [options]
     * @returns {Promise<void>}
     */
    interrupt(to: Target, payload?: unknown, options?: import("./options.js").SignalOptions | undefined): Promise<void>;
    /** @returns {AsyncIterableIterator<any>} As `messages`, values only. */
    [Symbol.asyncIterator](): AsyncIterableIterator<any>;
    #private;
}
export type Message = import('./content.js').Message;
export type Delegated = import('./delegating.js').Delegated;
export type Detail = import('./errors.js').Detail;
export type Header = import('./header.js').Header;
export type HostedCall = import('./hosted-call.js').HostedCall;
export type CallOptions = import('./options.js').CallOptions;
export type PublishOptions = import('./options.js').PublishOptions;
export type StreamOptions = import('./options.js').StreamOptions;
export type SendOptions = import('./options.js').SendOptions;
export type SignalOptions = import('./options.js').SignalOptions;
export type Target = import('./signalling.js').Target;
