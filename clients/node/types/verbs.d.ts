/** The verbs of a client, on whatever connection it has at the moment. */
export class Verbs {
    /** @param {number} repeats */
    constructor(repeats: number);
    /** @internal @readonly */
    readonly repeats: number;
    /** @internal @type {Connection | undefined} */
    connection: Connection | undefined;
    /** @internal @type {AgentError | undefined} Why no connection will come any more. */
    endError: AgentError | undefined;
    /** @internal Till then, in `performance.now()`, others may not be back where this is. */
    rejoiningUntil: number;
    /** @internal @type {Set<OwnCall>} Calls that wait for a connection. */
    waiting: Set<OwnCall>;
    /** @internal @type {Set<TopicReader>} To be subscribed to on every connection. */
    readers: Set<TopicReader>;
    /**
     * Resolves when there is a connection; throws if there will be none.
     *
     * @internal
     * @param {AbortSignal} [_signal]
     * @param {(connection: Connection) => boolean} [_isFit] Open unless given.
     * @returns {Promise<Connection>}
     */
    connected(_signal?: AbortSignal | undefined, _isFit?: ((connection: Connection) => boolean) | undefined): Promise<Connection>;
    /**
     * Calls an agent and gives the one value it answers: several texts joined, other messages listed,
     * none is null. Throws the AgentError of the code that the call failed with.
     *
     * @param {string} to `name` or `name:session`
     * @param {unknown} [body] A string, bytes, a `Message`, or what becomes JSON; undefined: nothing.
     * @param {CallOptions} [options]
     * @returns {Promise<any>}
     */
    call(to: string, body?: unknown, options?: import("./options.js").CallOptions | undefined): Promise<any>;
    /**
     * Calls an agent, at once, and gives its reply to iterate over. Leaving the loop cancels it.
     *
     * @param {string} to
     * @param {unknown} [body]
     * @param {StreamOptions} [options]
     * @returns {Reply}
     */
    stream(to: string, body?: unknown, options?: import("./options.js").StreamOptions | undefined): Reply;
    /**
     * @internal
     * @param {string} to
     * @param {unknown} body
     * @param {StreamOptions} options
     * @returns {Delegated}
     */
    delegate(to: string, body: unknown, options: StreamOptions): Delegated;
    /**
     * Opens a call in both directions: `send` messages, `end` the input, iterate over the reply.
     *
     * @param {string} to
     * @param {unknown} [body] The first message; undefined: none yet.
     * @param {StreamOptions} [options]
     * @returns {Exchange}
     */
    open(to: string, body?: unknown, options?: import("./options.js").StreamOptions | undefined): Exchange;
    /**
     * Sends one message that nobody answers. Resolves once it is in the agent's mailbox; without
     * `ack`, once the socket takes more.
     *
     * @param {string} to
     * @param {unknown} [body]
     * @param {SendOptions} [options]
     * @returns {Promise<void>}
     */
    send(to: string, body?: unknown, options?: import("./options.js").SendOptions | undefined): Promise<void>;
    /**
     * Sends one message to all who subscribe to the topic, be they many or none. Resolves once the
     * sidecar has handed it out.
     *
     * @param {string} topic
     * @param {unknown} [body]
     * @param {PublishOptions} [options]
     * @returns {Promise<void>}
     */
    publish(topic: string, body?: unknown, options?: import("./options.js").PublishOptions | undefined): Promise<void>;
    /**
     * The messages of a topic from now on, or of all that a pattern matches (`*` is one segment, a
     * last `>` the rest). Resolves once they come.
     *
     * @param {string} topic
     * @param {SubscribeOptions} [options]
     * @returns {Promise<Subscription>}
     */
    subscribe(topic: string, options?: import("./topics.js").SubscribeOptions | undefined): Promise<Subscription>;
    /**
     * The agents of a namespace, by name: those one segment below it unless the options say more.
     *
     * @param {string} [namespace] "" is above all names.
     * @param {Query & { timeoutMs?: number, signal?: AbortSignal }} [options]
     * @returns {Promise<AgentCard[]>}
     */
    discover(namespace?: string | undefined, options?: (import("./header.js").Query & {
        timeoutMs?: number | undefined;
        signal?: AbortSignal | undefined;
    }) | undefined): Promise<AgentCard[]>;
    /**
     * As `discover`, and then every change, over reconnects: an async iterable of `Change`.
     *
     * @param {string} [namespace]
     * @param {WatchOptions} [options]
     * @returns {Watch}
     */
    watch(namespace?: string | undefined, options?: import("./discovery.js").WatchOptions | undefined): Watch;
    /**
     * Ends calls here whose deadline the sidecar lets pass, looking once a second.
     *
     * @internal
     */
    watchDeadlines(): void;
    /** @internal */
    forgetDeadlines(): void;
    #private;
}
export type Connection = import('./connection.js').Connection;
export type AgentCard = import('./discovery.js').AgentCard;
export type WatchOptions = import('./discovery.js').WatchOptions;
export type AgentError = import('./errors.js').AgentError;
export type Query = import('./header.js').Query;
export type CallOptions = import('./options.js').CallOptions;
export type PublishOptions = import('./options.js').PublishOptions;
export type SendOptions = import('./options.js').SendOptions;
export type StreamOptions = import('./options.js').StreamOptions;
export type SubscribeOptions = import('./topics.js').SubscribeOptions;
import { OwnCall } from "./calls.js";
import { TopicReader } from "./topics.js";
import { Reply } from "./reply.js";
import { Delegated } from "./delegating.js";
import { Exchange } from "./reply.js";
import { Subscription } from "./topics.js";
import { Watch } from "./discovery.js";
