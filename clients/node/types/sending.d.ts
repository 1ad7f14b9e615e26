/**
 * The window that is left of one after content was sent in the call's own frame.
 *
 * @param {number} window
 * @param {string | Uint8Array} content
 */
export function windowBehind(window: number, content: string | Uint8Array): number;
/** The sender of one direction. Messages go in the order in which `send` was called. */
export class Sending {
    /**
     * @param {Connection} connection
     * @param {number} id
     * @param {number} window
     */
    constructor(connection: Connection, id: number, window: number);
    id: number;
    window: number;
    /** There is credit, the socket takes more, and the call goes on. */
    get maySend(): boolean;
    /** Why nothing can be sent any more. */
    get error(): import("./errors.js").AgentError | undefined;
    /**
     * The receiver grants more.
     *
     * @param {number} bytes
     */
    credit(bytes: number): void;
    /**
     * The direction is over; who waits to send gets this.
     *
     * @param {AgentError} error
     */
    close(error: AgentError): void;
    /** Lets whoever waits look again. */
    wake(): void;
    /**
     * Sends at once if that needs no waiting.
     *
     * @param {Encoded} message
     * @param {boolean} isEnd The last of this direction.
     * @returns {boolean} Whether it did.
     */
    trySend(message: Encoded, isEnd: boolean): boolean;
    /**
     * Sends one message, in parts if it is large, waiting for credit before each.
     *
     * @param {Encoded} message
     * @param {{ isEnd?: boolean }} options
     * @returns {Promise<void>}
     */
    send(message: Encoded, { isEnd }?: {
        isEnd?: boolean;
    }): Promise<void>;
    /**
     * Sends a piece of a message that goes on, at once if that needs no waiting.
     *
     * @param {Part} part
     * @returns {boolean} Whether it did.
     */
    trySendPart({ content, type }: Part): boolean;
    /**
     * Sends a piece of a message that goes on, waiting for credit.
     *
     * @param {Part} part
     */
    sendPart({ content, type }: Part): Promise<void>;
    /**
     * Sends one whole message that need not wait for what is spliced before it.
     *
     * @param {Encoded} message
     */
    sendUnordered(message: Encoded): Promise<void>;
    /**
     * Puts the replies of another call at this place; with `isEnd` they are the rest of all.
     *
     * @param {OwnCall} call
     * @param {{ isEnd?: boolean, isUnordered?: boolean }} how
     */
    splice(call: OwnCall, { isEnd, isUnordered }: {
        isEnd?: boolean;
        isUnordered?: boolean;
    }): Promise<void>;
    /**
     * Sends an error at this position, which ends an open message; the stream goes on.
     *
     * @param {AgentError} error
     */
    sendError(error: AgentError): Promise<void>;
    /**
     * Waits until a frame may be sent, or until something else is enough; throws the error that ended
     * the call.
     *
     * @param {() => boolean} [isEnough]
     */
    ready(isEnough?: (() => boolean) | undefined): Promise<void>;
    /** No more messages: an empty last frame, which needs no credit. */
    finish(): Promise<void>;
    /** As `finish`, where nothing else is being sent. */
    end(): void;
    #private;
}
export type AgentError = import('./errors.js').AgentError;
export type OwnCall = import('./calls.js').OwnCall;
export type Connection = import('./connection.js').Connection;
export type Part = import('./content.js').Part;
import { Encoded } from "./content.js";
