/**
 * What a call says, ready to be written, and again if it is repeated.
 *
 * @typedef {object} Request
 * @property {string} address
 * @property {string} rest The header behind the id, without its closing brace, parent and time.
 * @property {string | Uint8Array} content
 * @property {Encoded | undefined} first The first message where it is too large for the call's own
 *   frame.
 * @property {number} deadline In `performance.now()`, or 0.
 * @property {boolean} isOpen The caller sends messages of its own behind the first.
 * @property {boolean} isHeld Nothing comes until the first credit: its window is 0 until then.
 * @property {boolean} isDelegated It was made to be spliced.
 * @property {boolean} isDetached
 * @property {string | undefined} run
 * @property {number} window
 * @property {HostedCall | undefined} parent
 */
/**
 * @param {Verbs} client
 * @param {string} to
 * @param {unknown} body
 * @param {StreamOptions} options
 * @param {{ isOpen?: boolean, isDelegated?: boolean }} [kind]
 * @returns {Request}
 */
export function requestOf(client: Verbs, to: string, body: unknown, options: StreamOptions, kind?: {
    isOpen?: boolean | undefined;
    isDelegated?: boolean | undefined;
} | undefined): Request;
/**
 * @param {unknown} body
 * @param {CallWords} options
 */
export function messageFor(body: unknown, options: CallWords): Encoded;
/**
 * The call that one serves unless its caller said something else.
 *
 * @param {Context | null | undefined} parent
 */
export function contextFor(parent: Context | null | undefined): Context | undefined;
/**
 * The call that a new one serves. A context that is only inherited, of a call that has ended or
 * that another client handles, is none.
 *
 * @param {Verbs} client
 * @param {Context | undefined} context
 * @param {Context | null | undefined} given
 * @returns {HostedCall | undefined}
 */
export function parentFor(client: Verbs, context: Context | undefined, given: Context | null | undefined): HostedCall | undefined;
/**
 * Throws InvalidArgumentError for a message that no one frame holds.
 *
 * @param {{ connection: Connection | undefined }} client
 * @param {Encoded} message
 */
export function checkFits(client: {
    connection: Connection | undefined;
}, message: Encoded): void;
/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./header.js').CallWords} CallWords */
/** @typedef {import('./hosted-call.js').HostedCall} HostedCall */
/** @typedef {import('./options.js').StreamOptions} StreamOptions */
/** @typedef {import('./verbs.js').Verbs} Verbs */
/** @type {StreamOptions} Shared by all calls without options. */
export const NOTHING: StreamOptions;
/**
 * What a call says, ready to be written, and again if it is repeated.
 */
export type Request = {
    address: string;
    /**
     * The header behind the id, without its closing brace, parent and time.
     */
    rest: string;
    content: string | Uint8Array;
    /**
     * The first message where it is too large for the call's own
     * frame.
     */
    first: Encoded | undefined;
    /**
     * In `performance.now()`, or 0.
     */
    deadline: number;
    /**
     * The caller sends messages of its own behind the first.
     */
    isOpen: boolean;
    /**
     * Nothing comes until the first credit: its window is 0 until then.
     */
    isHeld: boolean;
    /**
     * It was made to be spliced.
     */
    isDelegated: boolean;
    isDetached: boolean;
    run: string | undefined;
    window: number;
    parent: HostedCall | undefined;
};
export type Connection = import('./connection.js').Connection;
export type CallWords = import('./header.js').CallWords;
export type HostedCall = import('./hosted-call.js').HostedCall;
export type StreamOptions = import('./options.js').StreamOptions;
export type Verbs = import('./verbs.js').Verbs;
import { Encoded } from "./content.js";
import { Context } from "./context.js";
