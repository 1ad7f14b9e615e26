/** @typedef {import('./client.js').Client} Client */
/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./context.js').Context} Context */
/** @typedef {import('./header.js').Header} Header */
/** @typedef {import('./registration.js').Registration} Registration */
/** One conversation with an agent here: its instance. */
export class Session {
    /**
     * @param {string} address
     * @param {Registration} registration
     */
    constructor(address: string, registration: Registration);
    address: string;
    registration: import("./registration.js").Registration;
    /** @type {any} The instance, or a promise of it. */
    instance: any;
    /**
     * Runs the instance's `closed` hook.
     *
     * @param {string} reason
     */
    close(reason: string): Promise<void>;
}
/** The agents of one client: who hosts what here, and the sessions that live here. */
export class Hosting {
    /**
     * @param {Client} client
     * @param {(message: string, error?: unknown) => void} log
     */
    constructor(client: Client, log: (message: string, error?: unknown) => void);
    log: (message: string, error?: unknown) => void;
    /**
     * From now on calls to this name come to this registration.
     *
     * @param {Registration} registration
     */
    add(registration: Registration): void;
    /**
     * Calls that run go on, and so do its sessions till the sidecar closes them.
     *
     * @param {Registration} registration
     */
    remove(registration: Registration): void;
    /**
     * The agent of this name here, if there is one.
     *
     * @param {string} name
     */
    registration(name: string): import("./registration.js").Registration | undefined;
    /**
     * The sessions that an agent has here.
     *
     * @param {Registration} registration
     */
    sessionsOf(registration: Registration): Session[];
    /**
     * A call arrived.
     *
     * @param {Connection} connection
     * @param {number} id
     * @param {Header} header
     * @param {Buffer} bytes
     * @param {number} start
     * @param {number} end
     */
    called(connection: Connection, id: number, header: Header, bytes: Buffer, start: number, end: number): void;
    /**
     * The session a call belongs to, made if it is not there; one of its own without.
     *
     * @param {Registration} registration
     * @param {Context} context
     * @returns {Session}
     */
    session(registration: Registration, context: Context): Session;
    /**
     * A call ended, and without a session of its own so did its instance.
     *
     * @param {HostedCall} call
     * @param {Session | undefined} session
     */
    ended(call: HostedCall, session: Session | undefined): void;
    /**
     * The sidecar closes a session: free it, then say so.
     *
     * @param {Connection} connection
     * @param {number} id
     * @param {Header} header
     */
    closing(connection: Connection, id: number, header: Header): Promise<void>;
    /** The connection is gone, and with it every session. */
    lost(): void;
    /**
     * Resolves when no call runs and no session closes, or after so long.
     *
     * @param {number} timeoutMs
     * @param {HostedCall} [except] The one that asks.
     */
    idle(timeoutMs: number, except?: HostedCall | undefined): Promise<void>;
    #private;
}
export type Client = import('./client.js').Client;
export type Connection = import('./connection.js').Connection;
export type Context = import('./context.js').Context;
export type Header = import('./header.js').Header;
export type Registration = import('./registration.js').Registration;
import { HostedCall } from "./hosted-call.js";
