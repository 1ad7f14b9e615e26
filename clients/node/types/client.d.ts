/** Connected by `connect`. A connection that is lost is made again, agents included. */
export class Client extends Steering {
    /**
     * @internal
     * @param {string} url
     * @param {ConnectOptions} options
     */
    constructor(url: string, options: ConnectOptions);
    /** Where the sidecar is. */
    url: string;
    /** There is a connection at this moment. */
    get isConnected(): boolean;
    /**
     * Registers an agent; resolves once calls from anywhere reach it.
     *
     * @template {AgentFunction | AgentClass} T
     * @param {string} name
     * @param {T & import('./agents.js').Checked<T>} target A function, or a class with an instance
     *   for each session.
     * @param {RegisterOptions} [options]
     * @returns {Promise<Registration>}
     */
    register<T extends import("./agents.js").AgentFunction | import("./agents.js").AgentClass>(name: string, target: T & import("./agents.js").Checked<T>, options?: import("./registration.js").RegisterOptions | undefined): Promise<Registration>;
    /**
     * Ends open calls, running agents and sessions, says goodbye and closes. Agents get 5 s for what
     * they do when their `signal` is aborted.
     *
     * @returns {Promise<void>}
     */
    close(): Promise<void>;
    /**
     * Takes no new calls, lets those it handles finish, then closes.
     *
     * @param {{ timeoutMs?: number, signal?: AbortSignal }} options How long they may take (10 s);
     *   the signal ends the waiting.
     * @returns {Promise<void>}
     */
    drain({ timeoutMs, signal }?: {
        timeoutMs?: number;
        signal?: AbortSignal;
    }): Promise<void>;
    /**
     * Resolves when the client is closed, or when the sidecar's operator has drained it and it is
     * done with what it handles; throws what else ends it.
     *
     * @param {{ signal?: AbortSignal }} options The signal ends the waiting, with `cancelled`.
     * @returns {Promise<void>}
     */
    serve({ signal }?: {
        signal?: AbortSignal;
    }): Promise<void>;
    /**
     * For a program that only hosts: serves until SIGINT or SIGTERM, or until the operator drains it,
     * then drains; told twice, it closes at once.
     *
     * @returns {Promise<void>}
     */
    run(): Promise<void>;
    /**
     * The first connection.
     *
     * @internal
     * @param {AbortSignal | undefined} signal
     */
    start(signal: AbortSignal | undefined): Promise<void>;
    /** @returns {Promise<void>} As `close`. */
    [Symbol.asyncDispose](): Promise<void>;
    #private;
}
export type AgentClass = import('./agents.js').AgentClass;
export type AgentFunction = import('./agents.js').AgentFunction;
export type ConnectOptions = import('./options.js').ConnectOptions;
export type RegisterOptions = import('./registration.js').RegisterOptions;
import { Steering } from "./steering.js";
import { Registration } from "./registration.js";
