/**
 * An agent as the sidecar writes it.
 *
 * @param {any} value
 * @returns {AgentCard}
 */
export function cardOf(value: any): AgentCard;
/** @typedef {import('./content.js').Message} Message */
/** @typedef {import('./header.js').Query} Query */
/** @typedef {import('./verbs.js').Verbs} Verbs */
/**
 * One kind of message an agent handles, with the JSON Schemas of its input and output.
 *
 * @typedef {object} OperationCard
 * @property {string} name
 * @property {string} description
 * @property {any} [input]
 * @property {any} [output]
 * @property {boolean} streaming
 */
/**
 * An agent as discovery shows it; all behind the description only with `detailed`.
 *
 * @typedef {object} AgentCard
 * @property {string} name
 * @property {string} address What to call: the name.
 * @property {string} description
 * @property {string} version
 * @property {Readonly<Record<string, string>>} labels
 * @property {ReadonlyArray<OperationCard>} operations
 * @property {number} replicas
 */
/**
 * What a watch tells: all agents at first and after a gap (`isSnapshot`), then who came or changed
 * and who went.
 *
 * @typedef {object} Change
 * @property {number} revision
 * @property {ReadonlyArray<AgentCard>} registered
 * @property {ReadonlyArray<string>} deregistered
 * @property {boolean} isSnapshot
 */
/**
 * @typedef {object} Following
 * @property {number} [fromRevision] No snapshot, if the sidecar knows all changes since.
 * @property {AbortSignal} [signal] Ends the watch, with `cancelled`.
 */
/** @typedef {Query & Following} WatchOptions */
/**
 * Changes as they come; leaving the loop ends it. It goes on over reconnects.
 *
 * @implements {AsyncIterableIterator<Change>}
 */
export class Watch implements AsyncIterableIterator<Change> {
    /**
     * Made by `client.watch`.
     *
     * @param {Verbs} client
     * @param {string} namespace
     * @param {WatchOptions} options
     */
    constructor(client: Verbs, namespace: string, options: WatchOptions);
    /** @returns {Promise<IteratorResult<Change, undefined>>} */
    next(): Promise<IteratorResult<Change, undefined>>;
    /**
     * Ends the watch.
     *
     * @returns {Promise<IteratorResult<Change, undefined>>}
     */
    return(): Promise<IteratorResult<Change, undefined>>;
    /** @returns {this} */
    [Symbol.asyncIterator](): this;
    /** @returns {Promise<void>} As `return()`. */
    [Symbol.asyncDispose](): Promise<void>;
    #private;
}
export type Message = import('./content.js').Message;
export type Query = import('./header.js').Query;
export type Verbs = import('./verbs.js').Verbs;
/**
 * One kind of message an agent handles, with the JSON Schemas of its input and output.
 */
export type OperationCard = {
    name: string;
    description: string;
    input?: any;
    output?: any;
    streaming: boolean;
};
/**
 * An agent as discovery shows it; all behind the description only with `detailed`.
 */
export type AgentCard = {
    name: string;
    /**
     * What to call: the name.
     */
    address: string;
    description: string;
    version: string;
    labels: Readonly<Record<string, string>>;
    operations: ReadonlyArray<OperationCard>;
    replicas: number;
};
/**
 * What a watch tells: all agents at first and after a gap (`isSnapshot`), then who came or changed
 * and who went.
 */
export type Change = {
    revision: number;
    registered: ReadonlyArray<AgentCard>;
    deregistered: ReadonlyArray<string>;
    isSnapshot: boolean;
};
export type Following = {
    /**
     * No snapshot, if the sidecar knows all changes since.
     */
    fromRevision?: number | undefined;
    /**
     * Ends the watch, with `cancelled`.
     */
    signal?: AbortSignal | undefined;
};
export type WatchOptions = Query & Following;
