/** An open call of ours: an endpoint of the connection, and the source of what it answers. */
export class OwnCall {
    /**
     * @param {Verbs} client
     * @param {Request} request
     */
    constructor(client: Verbs, request: Request);
    /** Its replies went elsewhere. */
    isSpliced: boolean;
    client: import("./verbs.js").Verbs;
    request: import("./requests.js").Request;
    /** Replies were asked for. */
    isStarted: boolean;
    /** @type {Connection | undefined} */
    connection: Connection | undefined;
    id: number;
    /** @type {Sending | undefined} */
    sending: Sending | undefined;
    /** @type {Promise<void> | undefined} Of a first message that goes in parts. */
    firstSent: Promise<void> | undefined;
    /** How far it has read its run, if it is one. */
    run: RunReading | undefined;
    /** @type {Receiving | Collecting} What takes the reply; set before `launch`. */
    sink: Receiving | Collecting;
    /**
     * Begins; a signal cancels it until it ends.
     *
     * @param {AbortSignal | undefined} signal
     */
    launch(signal: AbortSignal | undefined): void;
    /**
     * Ends the call here and all below it. Once it has ended, nothing happens.
     *
     * @param {unknown} [cause] Why.
     */
    cancel(cause?: unknown): void;
    /**
     * Ends the call here with this error, and below.
     *
     * @param {AgentError} error
     */
    leave(error: AgentError): void;
    /**
     * Lets a signal cancel the call; what it returns undoes that.
     *
     * @param {AbortSignal | undefined} signal
     * @returns {(() => void) | undefined}
     */
    cancelOn(signal: AbortSignal | undefined): (() => void) | undefined;
    /** A lazy call starts with its first reader. */
    begin(): void;
    /**
     * Calls back once input can be sent, or never will.
     *
     * @param {() => void} waiter
     */
    whenWritten(waiter: () => void): void;
    /** Its replies are spliced: here its id has ended, which is given once more. */
    handOver(): number;
    /** The call that it was made for is answered: what was neither spliced nor read is for nobody. */
    parentAnswered(): void;
    /** @param {number} bytes */
    grant(bytes: number): void;
    /** The last reader left. */
    abandoned(): void;
    /**
     * @param {Header} header
     * @param {Buffer} bytes
     * @param {number} start
     * @param {number} end
     */
    onData(header: Header, bytes: Buffer, start: number, end: number): void;
    /** @param {number} bytes */
    onCredit(bytes: number): void;
    onOk(): void;
    /**
     * @param {AgentError} error
     * @param {boolean} isMore
     */
    onError(error: AgentError, isMore: boolean): void;
    /** @param {string} _reason */
    onCancel(_reason: string): void;
    /** @param {AgentError} error */
    onLost(error: AgentError): void;
    /**
     * The sidecar did not keep the deadline: the call ends here, a second late.
     *
     * @param {number} now
     */
    expire(now: number): void;
    /** Made for the first time, or again, or now that there is a connection. */
    restart(): void;
    #private;
}
export type Collecting = import('./collecting.js').Collecting;
export type Connection = import('./connection.js').Connection;
export type AgentError = import('./errors.js').AgentError;
export type Header = import('./header.js').Header;
export type Receiving = import('./receiving.js').Receiving;
export type Request = import('./requests.js').Request;
export type Verbs = import('./verbs.js').Verbs;
import { Sending } from "./sending.js";
import { RunReading } from "./runs.js";
