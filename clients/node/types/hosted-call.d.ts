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
    client: import("./client.js").Client;
    connection: import("./connection.js").Connection;
    id: number;
    isEnded: boolean;
    /**
     * Makes of a message of the input what the agent's function gets.
     *
     * @returns {(header: Header, content: Kept) => any}
     */
    get inputValue(): (header: Header, content: Kept) => any;
    get timeLeftMs(): number | undefined;
    get signal(): AbortSignal;
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
export type Client = import('./client.js').Client;
export type Connection = import('./connection.js').Connection;
export type Kept = import('./content.js').Kept;
export type Header = import('./header.js').Header;
export type Hosting = import('./hosting.js').Hosting;
export type Session = import('./hosting.js').Session;
export type Registration = import('./registration.js').Registration;
import { AgentError } from "./errors.js";
import { MessageReader } from "./readers.js";
