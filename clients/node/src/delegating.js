/** What an agent delegates of its reply to others, and what need not keep the order. */

import { Reply } from './reply.js';

/**
 * A call that an agent made to pass its replies on, unread: yielded, they stand in this place of
 * the agent's own; returned, they are the rest of them. The bytes never come here. It may be read
 * instead, and is an ordinary reply from then on.
 *
 * @template [T=any]
 * @extends {Reply<T>}
 */
export class Delegated extends Reply {}

/** Made by `outOfOrder`. */
export class OutOfOrder {
  /** @param {unknown} value */
  constructor(value) {
    this.value = value;
  }
}

/**
 * Yielded by an agent: a message, or a call's replies, that need not wait for what was delegated
 * before.
 *
 * @param {unknown} value A value, a `Message` or a `Delegated`.
 * @returns {OutOfOrder}
 */
export function outOfOrder(value) {
  return new OutOfOrder(value);
}
