/** A `send` that waits for the sidecar to have it in the mailbox. */

import { CancelledCallError, UnavailableError } from './errors.js';

/** @typedef {import('./errors.js').AgentError} AgentError */

/** The endpoint of such a send. */
export class Acknowledged {
  #address;
  /** @type {(error: AgentError | undefined) => void} */
  #answer = () => {};

  /** @param {string} address */
  constructor(address) {
    this.#address = address;
    /** @type {Promise<AgentError | undefined>} Nothing once it is accepted, else the error. */
    this.answer = new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  onData() {}

  onCredit() {}

  onOk() {
    this.#answer(undefined);
  }

  /** @param {AgentError} error */
  onError(error) {
    error.address = this.#address;
    this.#answer(error);
  }

  onCancel() {
    this.#answer(
      new CancelledCallError('the sidecar dropped the message', { reason: 'cancelled' }),
    );
  }

  /** @param {AgentError} error */
  onLost(error) {
    this.#answer(
      new UnavailableError(error.message, {
        reason: 'connection_lost',
        address: this.#address,
        cause: error,
      }),
    );
  }
}
