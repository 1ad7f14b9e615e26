/**
 * A signal arrived. An interrupt is answered at once, anything else when its hook is done, whatever
 * runs meanwhile.
 *
 * @param {Hosting} hosting
 * @param {Connection} connection
 * @param {number} id
 * @param {Header} header
 * @param {Buffer} bytes
 * @param {number} start
 * @param {number} end
 */
export function signalled(hosting: Hosting, connection: Connection, id: number, header: Header, bytes: Buffer, start: number, end: number): void;
/**
 * What an agent has for signals: its instance's method, or what it was registered with.
 *
 * @param {Registration} registration
 * @param {Session | undefined} session
 * @param {'onInterrupt' | 'onSignal'} name
 * @returns {((...given: any[]) => unknown) | undefined}
 */
export function hookOf(registration: Registration, session: Session | undefined, name: 'onInterrupt' | 'onSignal'): ((...given: any[]) => unknown) | undefined;
/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./context.js').Context} Context */
/** @typedef {import('./header.js').Header} Header */
/** @typedef {import('./hosted-call.js').HostedCall} HostedCall */
/** @typedef {import('./hosting.js').Hosting} Hosting */
/** @typedef {import('./hosting.js').Session} Session */
/** @typedef {import('./registration.js').Registration} Registration */
/** A signal as a hook sees it. */
export class Signal {
    /**
     * @param {Header} header
     * @param {any} payload
     */
    constructor(header: Header, payload: any);
    name: string;
    /** What came along; undefined: nothing. */
    payload: any;
    /** Of that, or "". */
    contentType: string;
    /** The address of the agent that sent it, or "". */
    sender: string;
    /** Whom it concerns: an agent, one of its sessions, or what the call was made to. */
    address: string;
    /** @type {Context | undefined} Of the call that it concerns, if it is one. */
    context: Context | undefined;
}
export type Connection = import('./connection.js').Connection;
export type Context = import('./context.js').Context;
export type Header = import('./header.js').Header;
export type HostedCall = import('./hosted-call.js').HostedCall;
export type Hosting = import('./hosting.js').Hosting;
export type Session = import('./hosting.js').Session;
export type Registration = import('./registration.js').Registration;
