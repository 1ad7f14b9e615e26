/**
 * Yielded by an agent: a message, or a call's replies, that need not wait for what was delegated
 * before.
 *
 * @param {unknown} value A value, a `Message` or a `Delegated`.
 * @returns {OutOfOrder}
 */
export function outOfOrder(value: unknown): OutOfOrder;
/**
 * A call that an agent made to pass its replies on, unread: yielded, they stand in this place of
 * the agent's own; returned, they are the rest of them. The bytes never come here. It may be read
 * instead, and is an ordinary reply from then on.
 *
 * @template [T=any]
 * @extends {Reply<T>}
 */
export class Delegated<T = any> extends Reply<T> {
}
/** Made by `outOfOrder`. */
export class OutOfOrder {
    /** @param {unknown} value */
    constructor(value: unknown);
    value: unknown;
}
import { Reply } from "./reply.js";
