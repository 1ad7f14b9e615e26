/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./content.js').Kept} Kept */
/** @typedef {import('./errors.js').AgentError} AgentError */
/** @typedef {import('./header.js').Header} Header */
/** @typedef {import('./registration.js').Registration} Registration */
/** @typedef {import('./verbs.js').Verbs} Verbs */
/**
 * @typedef {object} SubscribeOptions
 * @property {number} [window] How far the topic may run ahead of the reader, in bytes (1 MiB). What
 *   is beyond it and as much again is lost, the oldest first; the next message tells how many in
 *   `dropped`. 1: one message at a time, always the newest.
 * @property {AbortSignal} [signal] Ends the subscription.
 */
/** A message of a topic: what was published, and what its reader is told besides. */
export class TopicMessage extends Message {
    /**
     * @param {Kept} content
     * @param {Header} header
     */
    constructor(content: Kept, { type, contentType, ext, topic, source, from, dropped }: Header);
    topic: string;
    /** Whom it concerns. */
    source: string;
    /** The address of the agent that published it, or "". */
    sender: string;
    /** How many messages went before this one because the reader was slow. */
    dropped: number;
}
/**
 * The messages of a topic, or of all that a pattern matches, as they come. Leaving the loop ends
 * it, and so does `close`. It goes on over reconnects, without what was published in between.
 *
 * @implements {AsyncIterableIterator<TopicMessage>}
 */
export class Subscription implements AsyncIterableIterator<TopicMessage> {
    /**
     * Made by `client.subscribe`.
     *
     * @param {TopicReader} reader
     */
    constructor(reader: TopicReader);
    /** The topic or pattern. */
    get topic(): string;
    /**
     * The next message. To ask for it says that the one before is done with.
     *
     * @returns {Promise<IteratorResult<TopicMessage, undefined>>}
     */
    next(): Promise<IteratorResult<TopicMessage, undefined>>;
    /**
     * Ends it.
     *
     * @returns {Promise<IteratorResult<TopicMessage, undefined>>}
     */
    return(): Promise<IteratorResult<TopicMessage, undefined>>;
    /** @returns {Promise<void>} Ends it; whoever waits for a message comes to the end. */
    close(): Promise<void>;
    /** @returns {this} */
    [Symbol.asyncIterator](): this;
    /** @returns {Promise<void>} As `close`. */
    [Symbol.asyncDispose](): Promise<void>;
    #private;
}
/** The endpoint of a subscription: messages wait in it until they are asked for. */
export class TopicReader {
    /**
     * @param {Verbs} client
     * @param {string} topic
     * @param {SubscribeOptions} options
     */
    constructor(client: Verbs, topic: string, { window, signal }: SubscribeOptions);
    topic: string;
    /**
     * Writes `subscribe`.
     *
     * @param {Connection} connection
     */
    start(connection: Connection): void;
    /** Resolves with the sidecar's answer; throws the error if it refused. */
    ready(): Promise<void>;
    /** @returns {Promise<IteratorResult<TopicMessage, undefined>>} */
    next(): Promise<IteratorResult<TopicMessage, undefined>>;
    /** Nothing more is wanted. */
    close(): void;
    /**
     * Nothing more comes; what is there can still be read.
     *
     * @param {AgentError} [error]
     */
    end(error?: import("./errors.js").AgentError | undefined): void;
    /**
     * @param {Header} header
     * @param {Buffer} bytes
     * @param {number} start
     * @param {number} end
     */
    onData(header: Header, bytes: Buffer, start: number, end: number): void;
    onCredit(): void;
    onOk(): void;
    onCancel(): void;
    /** @param {AgentError} error */
    onError(error: AgentError): void;
    onLost(): void;
    #private;
}
/** The endpoint of a subscription that feeds an agent; it lives with the registration. */
export class Feed {
    /**
     * @param {Registration} registration
     * @param {Connection} connection
     * @param {string} topic
     */
    constructor(registration: Registration, connection: Connection, topic: string);
    onData(): void;
    onCredit(): void;
    onCancel(): void;
    onOk(): void;
    /** @param {AgentError} error */
    onError(error: AgentError): void;
    /** The registration hears of it too. */
    onLost(): void;
    #private;
}
export type Connection = import('./connection.js').Connection;
export type Kept = import('./content.js').Kept;
export type AgentError = import('./errors.js').AgentError;
export type Header = import('./header.js').Header;
export type Registration = import('./registration.js').Registration;
export type Verbs = import('./verbs.js').Verbs;
export type SubscribeOptions = {
    /**
     * How far the topic may run ahead of the reader, in bytes (1 MiB). What
     * is beyond it and as much again is lost, the oldest first; the next message tells how many in
     * `dropped`. 1: one message at a time, always the newest.
     */
    window?: number | undefined;
    /**
     * Ends the subscription.
     */
    signal?: AbortSignal | undefined;
};
import { Message } from "./content.js";
