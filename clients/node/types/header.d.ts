/**
 * @typedef {object} CallWords
 * @property {string} [type]
 * @property {string} [contentType]
 * @property {Ext} [ext]
 * @property {string} [trace] A W3C `traceparent`, passed on to all that is called in turn.
 * @property {string} [sender] The address of an agent registered by this client: who calls.
 */
/**
 * @param {string} name
 * @param {string} token
 * @param {string} client
 */
export function helloHeader(name: string, token: string, client: string): string;
/**
 * What a call or send says first: where to, and what its message is.
 *
 * @param {string} to
 * @param {string} type
 * @param {string} contentType
 */
export function toRest(to: string, type: string, contentType: string): string;
/**
 * What a publish says first: where to, and what its message is.
 *
 * @param {string} topic
 * @param {string} source
 * @param {string} type
 * @param {string} contentType
 */
export function publishRest(topic: string, source: string, type: string, contentType: string): string;
/**
 * @param {string} topic
 * @param {number} [window]
 * @param {string} [agent] Whom it feeds.
 */
export function subscribeRest(topic: string, window?: number | undefined, agent?: string | undefined): string;
/**
 * What a signal says first: whom it concerns unless that is a call, and what it is.
 *
 * @param {{ to?: string, run?: string }} whom
 * @param {string} name
 * @param {string} contentType
 */
export function signalRest({ to, run }: {
    to?: string;
    run?: string;
}, name: string, contentType: string): string;
/**
 * What a call, send or publish says besides. `trace` and `ext` of the call that it serves go on.
 *
 * @param {CallWords} options
 * @param {Ext | undefined} messageExt
 * @param {{ trace: string, ext?: Ext } | undefined} served
 */
export function wordsRest(options: CallWords, messageExt: Ext | undefined, served: {
    trace: string;
    ext?: Readonly<Record<string, import("./errors.js").Detail>> | undefined;
} | undefined): string;
/** @param {string | undefined} sender */
export function senderRest(sender: string | undefined): string;
/**
 * The window that was asked for, within what there is.
 *
 * @param {number | undefined} window
 */
export function windowOf(window: number | undefined): number;
/**
 * A time in whole milliseconds, or 0 for one without end.
 *
 * @param {number | undefined | null} timeoutMs
 */
export function timeoutOf(timeoutMs: number | undefined | null): number;
/**
 * How the replies of a call are to come.
 *
 * @typedef {object} Flow
 * @property {number} window
 * @property {boolean} isHeld Nothing comes until the first credit.
 * @property {boolean} isLazy
 * @property {boolean} hasInput
 * @property {boolean} isDetached
 */
/** @param {Flow} call */
export function flowRest({ window, isHeld, isLazy, hasInput, isDetached }: Flow): string;
/**
 * What follows the id in the header of a message's first frame.
 *
 * @param {string} type
 * @param {string} contentType
 * @param {Ext | undefined} ext
 * @param {boolean} part
 * @param {boolean} end
 * @returns {string}
 */
export function firstRest(type: string, contentType: string, ext: Ext | undefined, part: boolean, end: boolean): string;
/**
 * What follows the id in the headers of a message's further frames.
 *
 * @param {boolean} part
 * @param {boolean} end
 */
export function laterRest(part: boolean, end: boolean): ",\"part\":true}" | ",\"end\":true}" | "}";
/**
 * @typedef {object} RegisterWords
 * @property {string} [description] What discovery shows.
 * @property {string} [version]
 * @property {Readonly<Record<string, string>>} [labels]
 * @property {number} [concurrency] How many calls may be open here at a time (1,000).
 * @property {number} [sessionConcurrency] How many of them in one session (1).
 * @property {number} [idleMs] How long a session may be idle until it is closed (300,000; 0: for
 *   ever).
 * @property {boolean} [exclusive] Nobody else may register this name.
 */
/**
 * @param {string} name
 * @param {RegisterWords} options
 */
export function registerRest(name: string, options: RegisterWords): string;
/**
 * @typedef {object} Query
 * @property {boolean} [recursive] All below the namespace, not only one segment below.
 * @property {boolean} [inclusive] The namespace itself too.
 * @property {boolean} [detailed] Version, labels, operations and number of replicas too.
 * @property {Readonly<Record<string, string>>} [labels] All of them must match.
 */
/**
 * The body of a DiscoveryQuery or DiscoveryWatch.
 *
 * @param {string} namespace
 * @param {Query} options
 * @param {number} [fromRevision]
 */
export function queryBody(namespace: string, options: Query, fromRevision?: number | undefined): {
    from_revision?: number | undefined;
    namespace: string;
    recursive: boolean;
    inclusive: boolean;
    detailed: boolean;
    labels: Readonly<Record<string, string>>;
};
/** @typedef {import('./errors.js').Detail} Detail */
/** @typedef {Readonly<Record<string, Detail>>} Ext */
export const WINDOW_DEFAULT: number;
/** What the header of a frame says. Shared between frames: never changed. */
export class Header {
    /** @param {Record<string, any>} raw A header whose known fields are of their kind. */
    constructor(raw: Record<string, any>);
    /** @type {string} */ type: string;
    /** @type {string} */ contentType: string;
    /** @type {Ext | undefined} */ ext: Readonly<Record<string, import("./errors.js").Detail>> | undefined;
    /** @type {boolean} */ end: boolean;
    /** @type {boolean} */ part: boolean;
    /** @type {string} */ to: string;
    /** @type {string} */ from: string;
    /** @type {string} */ trace: string;
    /** @type {string} */ topic: string;
    /** @type {string} */ source: string;
    /** @type {string} */ name: string;
    /** @type {number} */ call: number;
    /** @type {number} */ dropped: number;
    /** @type {number} */ timeoutMs: number;
    /** @type {number} */ window: number;
    /** @type {boolean} */ input: boolean;
    /** @type {boolean} */ isNew: boolean;
    /** @type {boolean} */ oneway: boolean;
    /** @type {boolean} */ observe: boolean;
    /** @type {number} */ bytes: number;
    /** @type {string} */ code: string;
    /** @type {string} */ reason: string;
    /** @type {string} */ message: string;
    /** @type {Record<string, Detail> | undefined} */ details: Record<string, Detail> | undefined;
    /** @type {boolean} */ more: boolean;
    /** @type {boolean} */ retry: boolean;
    /** @type {string} */ server: string;
    /** @type {string} */ connection: string;
    /** @type {string} */ features: string;
    /** @type {number} */ maxContent: number;
    /** @type {number} */ heartbeatMs: number;
}
/** The header of a frame that says nothing. */
export const NO_HEADER: Header;
export type CallWords = {
    type?: string | undefined;
    contentType?: string | undefined;
    ext?: Readonly<Record<string, import("./errors.js").Detail>> | undefined;
    /**
     * A W3C `traceparent`, passed on to all that is called in turn.
     */
    trace?: string | undefined;
    /**
     * The address of an agent registered by this client: who calls.
     */
    sender?: string | undefined;
};
/**
 * How the replies of a call are to come.
 */
export type Flow = {
    window: number;
    /**
     * Nothing comes until the first credit.
     */
    isHeld: boolean;
    isLazy: boolean;
    hasInput: boolean;
    isDetached: boolean;
};
export type RegisterWords = {
    /**
     * What discovery shows.
     */
    description?: string | undefined;
    version?: string | undefined;
    labels?: Readonly<Record<string, string>> | undefined;
    /**
     * How many calls may be open here at a time (1,000).
     */
    concurrency?: number | undefined;
    /**
     * How many of them in one session (1).
     */
    sessionConcurrency?: number | undefined;
    /**
     * How long a session may be idle until it is closed (300,000; 0: for
     * ever).
     */
    idleMs?: number | undefined;
    /**
     * Nobody else may register this name.
     */
    exclusive?: boolean | undefined;
};
export type Query = {
    /**
     * All below the namespace, not only one segment below.
     */
    recursive?: boolean | undefined;
    /**
     * The namespace itself too.
     */
    inclusive?: boolean | undefined;
    /**
     * Version, labels, operations and number of replicas too.
     */
    detailed?: boolean | undefined;
    /**
     * All of them must match.
     */
    labels?: Readonly<Record<string, string>> | undefined;
};
export type Detail = import('./errors.js').Detail;
export type Ext = Readonly<Record<string, Detail>>;
