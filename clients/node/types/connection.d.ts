/** @typedef {import('./endpoint.js').Endpoint} Endpoint */
/** @typedef {import('./endpoint.js').Owner} Owner */
/** @typedef {import('./errors.js').AgentError} AgentError */
/** The client's end of one connection. */
export class Connection {
    /**
     * @param {Owner} owner
     * @param {{ path: string } | { host: string, port: number }} where
     * @param {string} hello
     * @param {number} helloMs How long the sidecar may take until it welcomes.
     * @param {number} [greetAfterMs] How long it may speak first, should it refuse who connects.
     */
    constructor(owner: Owner, where: {
        path: string;
    } | {
        host: string;
        port: number;
    }, hello: string, helloMs: number, greetAfterMs?: number | undefined);
    /** @type {OpenIds<Endpoint>} */
    open: OpenIds<Endpoint>;
    /** @type {Set<{ wake(): void }>} Who waits for the socket to take more. */
    stalled: Set<{
        wake(): void;
    }>;
    isWelcome: boolean;
    /** @type {ReadonlyArray<string>} What both sides know of what is optional. */
    features: ReadonlyArray<string>;
    /** The sidecar takes no new calls here. */
    isDraining: boolean;
    /** It takes none for good, and stays: its operator drained it. */
    isDrained: boolean;
    /** @type {AgentError | undefined} Why it ended. */
    error: AgentError | undefined;
    contentBytesMax: number;
    /** Content above is sent in parts. */
    partBytesMax: number;
    /** @type {Promise<void>} */
    closed: Promise<void>;
    /** Welcome and not yet lost. */
    get isOpen(): boolean;
    /** The socket takes nothing more for now. */
    get isFull(): boolean;
    /** Says goodbye, writes what is left, closes. Open calls end `unavailable`. */
    close(): void;
    /** Gives up what was not written yet: the sidecar takes nothing. */
    discard(): void;
    /**
     * Resolves when the sidecar has read all that was written so far, or soon if it does not.
     *
     * @returns {Promise<void>}
     */
    roundTrip(): Promise<void>;
    /**
     * No new calls are to come here.
     *
     * @param {string} reason
     * @param {number} timeoutMs
     */
    goodbye(reason: string, timeoutMs: number): void;
    /**
     * Closes at once; everything open ends with this error.
     *
     * @param {AgentError} error
     */
    abort(error: AgentError): void;
    /**
     * Puts one frame behind those before it; returns how many bytes its content takes.
     *
     * @param {string} header
     * @param {string | Uint8Array} [content]
     * @returns {number}
     */
    write(header: string, content?: string | Uint8Array | undefined): number;
    /**
     * Numbers and writes an opening frame in one step; returns its id.
     *
     * @param {Endpoint} endpoint
     * @param {string} op
     * @param {string} rest The header behind the id.
     * @param {string | Uint8Array} [content]
     * @returns {number}
     */
    openId(endpoint: Endpoint, op: string, rest: string, content?: string | Uint8Array | undefined): number;
    /**
     * Ends an id of the sidecar's with an error; with `isMore` its stream goes on.
     *
     * @param {number} id
     * @param {unknown} thrown
     * @param {{ retry?: boolean, isMore?: boolean }} [options]
     */
    writeError(id: number, thrown: unknown, options?: {
        retry?: boolean | undefined;
        isMore?: boolean | undefined;
    } | undefined): void;
    /**
     * What an open id stands for; none for one that has ended. One that never was is fatal.
     *
     * @param {number} id
     */
    endpoint(id: number): import("./endpoint.js").Endpoint | undefined;
    #private;
}
export type Endpoint = import('./endpoint.js').Endpoint;
export type Owner = import('./endpoint.js').Owner;
export type AgentError = import('./errors.js').AgentError;
import { OpenIds } from "./open-ids.js";
