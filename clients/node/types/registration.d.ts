/**
 * Whom a registration belongs to.
 *
 * @typedef {object} Registrar
 * @property {(registration: Registration) => void} registering Calls may come from now on.
 * @property {(registration: Registration) => void} withdrawn No new calls come.
 * @property {(registration: Registration) => void} forget It is not made again.
 * @property {(message: string, error?: unknown) => void} log
 */
/** Made by `client.register`. After a reconnect it is made again by itself. */
export class Registration {
    /**
     * @param {Registrar} registrar
     * @param {string} name
     * @param {AgentFunction | AgentClass} target
     * @param {RegisterOptions} options
     */
    constructor(registrar: Registrar, name: string, target: AgentFunction | AgentClass, options: RegisterOptions);
    name: string;
    spec: AgentSpec;
    /** @type {AgentError | undefined} Why the sidecar refused or ended it. */
    error: AgentError | undefined;
    onInterrupt: ((payload: any, context: import("./context.js").Context) => unknown) | undefined;
    onSignal: ((name: string, payload: any, signal: import("./signals.js").Signal) => unknown) | undefined;
    /** Calls from any connection reach it now. */
    get isRegistered(): boolean;
    /**
     * Resolves with the sidecar's answer; throws the error if it refused.
     *
     * @returns {Promise<this>}
     */
    ready(): Promise<Registration>;
    /**
     * Takes nothing new; calls in flight finish, sessions close. Resolves once nobody finds it here.
     *
     * @returns {Promise<void>}
     */
    close(): Promise<void>;
    /**
     * Lets a signal end it.
     *
     * @internal
     * @param {AbortSignal | undefined} signal
     */
    endOn(signal: AbortSignal | undefined): void;
    /**
     * A new instance for a session, or undefined where a function is the agent.
     *
     * @internal
     * @param {Context} context
     * @returns {object | Promise<object> | undefined}
     */
    make(context: Context): object | Promise<object> | undefined;
    /**
     * Writes `register`; calls may follow on the connection at once.
     *
     * @internal
     * @param {Connection} connection
     */
    start(connection: Connection): void;
    /**
     * The client has ended for good.
     *
     * @internal
     * @param {AgentError} error
     */
    failed(error: AgentError): void;
    /** @internal */
    onData(): void;
    /** @internal */
    onCredit(): void;
    /** @internal */
    onCancel(): void;
    /** @internal */
    onOk(): void;
    /**
     * A topic does not feed the agent: it is withdrawn, for it would wait in vain. That the
     * subscription ends with the registration is no news.
     *
     * @internal
     * @param {AgentError} error
     * @param {Connection} connection
     */
    notFed(error: AgentError, connection: Connection): void;
    /**
     * @internal
     * @param {AgentError} error
     */
    onError(error: AgentError): void;
    /** @internal */
    onLost(): void;
    /**
     * The operator drained the connection, which stays: it has ended without an answer, and a
     * connection that comes later takes it.
     *
     * @internal
     * @param {AgentError} error
     */
    drained(error: AgentError): void;
    /** @returns {Promise<void>} As `close`. */
    [Symbol.asyncDispose](): Promise<void>;
    #private;
}
export type AgentClass = import('./agents.js').AgentClass;
export type AgentFunction = import('./agents.js').AgentFunction;
export type OperationOptions = import('./agents.js').OperationOptions;
export type Connection = import('./connection.js').Connection;
export type Context = import('./context.js').Context;
export type AgentError = import('./errors.js').AgentError;
export type RegisterWords = import('./header.js').RegisterWords;
export type Signal = import('./signals.js').Signal;
export type Making = {
    /**
     * Makes the instances of a class,
     * in place of `new`.
     */
    make?: ((context: Context) => object | Promise<object>) | undefined;
    /**
     * Ends the registration.
     */
    signal?: AbortSignal | undefined;
    /**
     * The topics, or patterns, that feed the agent: a
     * message of source `s` comes to its session `s`, as one that nobody answers.
     */
    topics?: readonly string[] | undefined;
};
export type Hooks = {
    /**
     * Is told when a call of the
     * agent is interrupted, beside it: the call is not disturbed. What it throws ends the call. Of a
     * class, an instance's own method `onInterrupt` comes first.
     */
    onInterrupt?: ((payload: any, context: Context) => unknown) | undefined;
    /**
     * Takes the agent's
     * own signals. What it throws goes to their sender. Of a class, an instance's own method
     * `onSignal` comes first.
     */
    onSignal?: ((name: string, payload: any, signal: Signal) => unknown) | undefined;
};
export type RegisterOptions = RegisterWords & OperationOptions & Making & Hooks;
/**
 * Whom a registration belongs to.
 */
export type Registrar = {
    /**
     * Calls may come from now on.
     */
    registering: (registration: Registration) => void;
    /**
     * No new calls come.
     */
    withdrawn: (registration: Registration) => void;
    /**
     * It is not made again.
     */
    forget: (registration: Registration) => void;
    log: (message: string, error?: unknown) => void;
};
import { AgentSpec } from "./agents.js";
