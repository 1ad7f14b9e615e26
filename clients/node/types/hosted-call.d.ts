/** A call that is handled here: an endpoint of the connection. */
export class HostedCall {
    /**
     * @param {Hosting} hosting
     * @param {Client} client
     * @param {Connection} connection
     * @param {Registration} registration
     * @param {number} id
     * @param {Header} header
     */
    constructor(hosting: Hosting, client: Client, connection: Connection, registration: Registration, id: number, header: Header);
    hosting: import("./hosting.js").Hosting;
    header: import("./header.js").Header;
    registration: import("./registration.js").Registration;
    context: Context;
    client: import("./client.js").Client;
    connection: import("./connection.js").Connection;
    id: number;
    /** @type {Receiving | undefined} What comes behind the call's own frame, and in it. */
    input: Receiving | undefined;
    /** @type {Operation | undefined} */
    operation: Operation | undefined;
    /** @type {Session | undefined} */
    session: Session | undefined;
    /** @type {Interrupted | undefined} The newest interruption. */
    interrupted: Interrupted | undefined;
    isEnded: boolean;
    /**
     * Makes of a message of the input what the agent's function gets.
     *
     * @returns {(header: Header, content: Kept) => any}
     */
    get inputValue(): (header: Header, content: Kept) => any;
    get timeLeftMs(): number | undefined;
    /** The user's code begins; throws where it is too late for that. */
    beginRunning(): void;
    /** Aborted by a cancel and by an interrupt. */
    get signal(): AbortSignal;
    /** Aborted by a cancel. */
    get cancelSignal(): AbortSignal;
    /**
     * Begins, with the content of the call's own frame.
     *
     * @param {Buffer} bytes
     * @param {number} start
     * @param {number} end
     */
    start(bytes: Buffer, start: number, end: number): void;
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
    /** @param {AgentError} error */
    onError(error: AgentError): void;
    /** @param {string} reason */
    onCancel(reason: string): void;
    /** @param {AgentError} error */
    onLost(error: AgentError): void;
    /**
     * A call made for this one has begun.
     *
     * @param {OwnCall} call
     */
    adopt(call: OwnCall): void;
    /** @param {OwnCall} call */
    disown(call: OwnCall): void;
    /**
     * Somebody wants this call to do something better. A hook is told so beside it; without one the
     * signal is aborted and child calls in flight end, once: then the agent is finishing.
     *
     * @param {Interrupted} interrupted
     */
    interrupt(interrupted: Interrupted): void;
    /** @param {number} bytes */
    grant(bytes: number): void;
    /** Nobody reads the input any more: its sender stands still at the end of its window. */
    abandoned(): void;
    /**
     * Reads the input behind what was read of it before.
     *
     * @template T
     * @param {(header: Header, content: Kept) => T} convert
     * @returns {MessageReader<T>}
     */
    inputReader<T>(convert: (header: Header, content: Kept) => T): MessageReader<T>;
    #private;
}
export type Operation = import('./agents.js').Operation;
export type OwnCall = import('./calls.js').OwnCall;
export type Client = import('./client.js').Client;
export type Connection = import('./connection.js').Connection;
export type Kept = import('./content.js').Kept;
export type Interrupted = import('./errors.js').Interrupted;
export type Header = import('./header.js').Header;
export type Hosting = import('./hosting.js').Hosting;
export type Session = import('./hosting.js').Session;
export type Registration = import('./registration.js').Registration;
import { Context } from "./context.js";
import { Receiving } from "./receiving.js";
import { AgentError } from "./errors.js";
import { MessageReader } from "./readers.js";
