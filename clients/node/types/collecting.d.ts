/** @typedef {import('./content.js').Kept} Kept */
/** @typedef {import('./errors.js').AgentError} AgentError */
/** @typedef {import('./header.js').Header} Header */
/** @typedef {import('./receiving.js').Source} Source */
/** Frames that become one value; a sink as `Receiving` is. */
export class Collecting {
    /**
     * @param {number} window
     * @param {Source} source
     * @param {import('./content.js').Collect | undefined} collect
     * @param {(value: any) => void} resolve
     * @param {(error: unknown) => void} reject
     */
    constructor(window: number, source: Source, collect: import('./content.js').Collect | undefined, resolve: (value: any) => void, reject: (error: unknown) => void);
    isEnded: boolean;
    isEmpty: boolean;
    /** @type {AgentError | undefined} */
    error: AgentError | undefined;
    /**
     * @param {Header} header
     * @param {Buffer} bytes
     * @param {number} start
     * @param {number} end
     */
    frame(header: Header, bytes: Buffer, start: number, end: number): void;
    /**
     * An error at a position: there will be no one value.
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
    /** As `Receiving.renew`: all that came was taken. */
    renew(): number;
    #private;
}
export type Kept = import('./content.js').Kept;
export type AgentError = import('./errors.js').AgentError;
export type Header = import('./header.js').Header;
export type Source = import('./receiving.js').Source;
