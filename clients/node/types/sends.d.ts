/**
 * Writes it, and again if nobody saw it; resolves with the sidecar's answer.
 *
 * @param {Verbs} client
 * @param {Post} post
 * @returns {Promise<void>}
 */
export function post(client: Verbs, post: Post): Promise<void>;
/** @typedef {import('./calls.js').OwnCall} OwnCall */
/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./content.js').Encoded} Encoded */
/** @typedef {import('./errors.js').AgentError} AgentError */
/** @typedef {import('./hosted-call.js').HostedCall} HostedCall */
/** @typedef {import('./verbs.js').Verbs} Verbs */
/**
 * Such a message, ready to be written.
 *
 * @typedef {object} Post
 * @property {string} op
 * @property {string} address
 * @property {string} rest The header behind the id, without its closing brace and parent.
 * @property {Encoded} message
 * @property {HostedCall | undefined} parent
 * @property {OwnCall | undefined} [call] Whom a signal concerns, where that is a call of ours.
 * @property {boolean} ack
 * @property {number} answerMs How long it may take, until there is a connection and an answer.
 * @property {AbortSignal | undefined} signal
 */
/** The endpoint of one that is answered. */
export class Acknowledged {
    /** @param {string} address */
    constructor(address: string);
    /** @type {Promise<AgentError | undefined>} Nothing once it is accepted, else the error. */
    answer: Promise<AgentError | undefined>;
    onData(): void;
    onCredit(): void;
    onOk(): void;
    /** @param {AgentError} error */
    onError(error: AgentError): void;
    onCancel(): void;
    /** @param {AgentError} error */
    onLost(error: AgentError): void;
    #private;
}
export type OwnCall = import('./calls.js').OwnCall;
export type Connection = import('./connection.js').Connection;
export type Encoded = import('./content.js').Encoded;
export type AgentError = import('./errors.js').AgentError;
export type HostedCall = import('./hosted-call.js').HostedCall;
export type Verbs = import('./verbs.js').Verbs;
/**
 * Such a message, ready to be written.
 */
export type Post = {
    op: string;
    address: string;
    /**
     * The header behind the id, without its closing brace and parent.
     */
    rest: string;
    message: Encoded;
    parent: HostedCall | undefined;
    /**
     * Whom a signal concerns, where that is a call of ours.
     */
    call?: OwnCall | undefined;
    ack: boolean;
    /**
     * How long it may take, until there is a connection and an answer.
     */
    answerMs: number;
    signal: AbortSignal | undefined;
};
