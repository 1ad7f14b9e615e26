/** The verbs that steer what runs: signal, interrupt, cancel, pause, resume. */

import { sendSignal } from './signalling.js';
import { Verbs } from './verbs.js';

/** @typedef {import('./options.js').SignalOptions} SignalOptions */
/** @typedef {import('./signalling.js').Target} Target */

/**
 * Signals overtake all that waits for an agent and reach it while it runs. Each resolves once
 * everyone concerned has it, and throws the error of whom it could not be given to.
 */
export class Steering extends Verbs {
  /**
   * Sends a signal of an agent's own: to a session, to all replicas of a name, or to a run.
   *
   * @param {Target} to `name:session`, `name`, or `{ run }`
   * @param {string} name Two segments or more: `steer.note`.
   * @param {unknown} [payload] As a body.
   * @param {SignalOptions} [options]
   * @returns {Promise<void>}
   */
  async signal(to, name, payload, options) {
    await sendSignal(this, to, name, payload, options);
  }

  /**
   * Interrupts the calls that run in a session, or a run. What waits is not touched.
   *
   * @param {Target} to `name:session` or `{ run }`
   * @param {unknown} [payload] What the agent is told: any value.
   * @param {SignalOptions} [options]
   * @returns {Promise<void>}
   */
  async interrupt(to, payload, options) {
    await sendSignal(this, to, 'interrupt', payload, options);
  }

  /**
   * Ends a session with all that runs and waits in it, or a run.
   *
   * @param {Target} to `name:session` or `{ run }`
   * @param {SignalOptions} [options]
   * @returns {Promise<void>}
   */
  async cancel(to, options) {
    await sendSignal(this, to, 'cancel', undefined, options);
  }

  /**
   * Gives nothing that waits in a session to its agent until `resume`. What runs goes on.
   *
   * @param {string} address `name:session`
   * @param {SignalOptions} [options]
   * @returns {Promise<void>}
   */
  async pause(address, options) {
    await sendSignal(this, address, 'pause', undefined, options);
  }

  /**
   * @param {string} address `name:session`
   * @param {SignalOptions} [options]
   * @returns {Promise<void>}
   */
  async resume(address, options) {
    await sendSignal(this, address, 'resume', undefined, options);
  }
}
