/**
 * @param {unknown} value
 * @returns {value is Promise<any>}
 */
export function isPromise(value: unknown): value is Promise<any>;
/**
 * What is answered message by message: async iterables and generators, but no arrays.
 *
 * @param {any} value
 */
export function isIterator(value: any): boolean;
/** Values that an agent yields, each asked for when it can be sent. */
export class Yielding {
    /**
     * @param {HostedCall} call
     * @param {Sending} sending Where they go.
     * @param {any} values An async iterable, or a generator; a reply, or what is out of order.
     */
    constructor(call: HostedCall, sending: Sending, values: any);
    /** Sends them all, and the end. What is thrown ended it. */
    sendAll(): Promise<void>;
    /**
     * Where it stands at a `yield`, this is thrown there: it need not be asked for more first.
     *
     * @param {Interrupted} interrupted
     */
    interrupt(interrupted: Interrupted): void;
    /**
     * Nothing more is asked for: a generator runs its `finally`, and this resolves when it has.
     *
     * @returns {Promise<unknown>}
     */
    leave(): Promise<unknown>;
    #private;
}
export type OwnCall = import('./calls.js').OwnCall;
export type HostedCall = import('./hosted-call.js').HostedCall;
export type MessageReader = import('./readers.js').MessageReader<Message>;
export type Sending = import('./sending.js').Sending;
import { Interrupted } from "./errors.js";
import { Message } from "./content.js";
