/**
 * Whether a frame with `end` carries no message.
 *
 * @param {Header} header
 * @param {number} size
 */
export function isBareEnd(header: Header, size: number): boolean;
/** @typedef {import('./errors.js').AgentError} AgentError */
/** @typedef {import('./header.js').Header} Header */
/** @typedef {import('./content.js').Kept} Kept */
/**
 * Whose direction it is: grants credit, and hears when the last reader has left before the end.
 *
 * @typedef {{ grant(bytes: number): void, abandoned(): void }} Source
 */
/** A frame in the chain. `isPart`: its message goes on in the next one. */
export class Link {
    /**
     * @param {number} index
     * @param {Header} header
     * @param {Kept} content
     * @param {boolean} isPart
     * @param {number} cost
     * @param {AgentError} [error] Instead of content.
     */
    constructor(index: number, header: Header, content: Kept, isPart: boolean, cost: number, error?: import("./errors.js").AgentError | undefined);
    index: number;
    header: import("./header.js").Header;
    content: import("./content.js").Kept;
    isPart: boolean;
    cost: number;
    error: import("./errors.js").AgentError | undefined;
    /** @type {Link | undefined} */
    next: Link | undefined;
}
/** The frames of one direction, as they arrive. */
export class Receiving {
    /**
     * @param {number} window
     * @param {Source} source
     */
    constructor(window: number, source: Source);
    /** The last frame so far; before any, the one to start reading from. */
    last: Link;
    /** What the fastest reader took last. */
    taken: Link;
    isEnded: boolean;
    /** @type {AgentError | undefined} */
    error: AgentError | undefined;
    readers: number;
    /** Nothing has come yet. */
    get isEmpty(): boolean;
    /**
     * A `data` frame arrived.
     *
     * @param {Header} header
     * @param {Buffer} bytes
     * @param {number} start
     * @param {number} end
     */
    frame(header: Header, bytes: Buffer, start: number, end: number): void;
    /**
     * An error at a position: it ends an open message, the stream goes on.
     *
     * @param {AgentError} error
     */
    failedAt(error: AgentError): void;
    /**
     * Nothing more comes.
     *
     * @param {AgentError} [error]
     */
    end(error?: import("./errors.js").AgentError | undefined): void;
    /**
     * The next frame behind this one, if it is there. Credit is granted for it.
     *
     * @param {Link} link
     * @returns {Link | undefined}
     */
    after(link: Link): Link | undefined;
    /**
     * Its sender begins with a new window: what was taken so far is granted with that.
     *
     * @returns {number} What of a window is still taken up.
     */
    renew(): number;
    /**
     * Wakes whoever this is once something has come.
     *
     * @param {{ wake(): void }} waiter
     */
    wait(waiter: {
        wake(): void;
    }): void;
    /** A reader left before the end. */
    left(): void;
    #private;
}
export type AgentError = import('./errors.js').AgentError;
export type Header = import('./header.js').Header;
export type Kept = import('./content.js').Kept;
/**
 * Whose direction it is: grants credit, and hears when the last reader has left before the end.
 */
export type Source = {
    grant(bytes: number): void;
    abandoned(): void;
};
