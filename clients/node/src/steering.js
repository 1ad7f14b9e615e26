/** The verbs that steer what runs, and read it: signals and runs. */

import { OwnCall } from './calls.js';
import { Receiving } from './receiving.js';
import { Reply } from './reply.js';
import { requestOf } from './requests.js';
import { RunReading, runOf } from './runs.js';
import { sendSignal } from './signalling.js';
import { Verbs } from './verbs.js';

/** @typedef {import('./options.js').SignalOptions} SignalOptions */
/** @typedef {import('./options.js').StreamOptions} StreamOptions */
/** @typedef {import('./runs.js').Attachment} Attachment */
/** @typedef {import('./runs.js').Run} Run */
/** @typedef {import('./signalling.js').Target} Target */
/** @typedef {Pick<StreamOptions, 'timeoutMs' | 'signal' | 'window' | 'parent'>} AttachOptions */

const PAGE = 1000;

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

  /**
   * Reads a run, from its first frame unless the options say otherwise, as often as one likes. To
   * leave it ends nothing but the reading.
   *
   * @param {string} run
   * @param {Attachment & AttachOptions} [options]
   * @returns {Reply}
   */
  attach(run, options = {}) {
    const { from, tail, ...calling } = options;
    const reading = new RunReading(run, { from, tail });
    const words = { ...calling, type: 'Attach' };
    const call = new OwnCall(this, requestOf(this, 'runs', reading.body, words));
    call.run = reading;
    const receiving = new Receiving(call.request.window, call);
    call.sink = receiving;
    const reply = new Reply(call, receiving);
    call.launch(options.signal);
    return reply;
  }

  /**
   * The runs of this client's principal that are kept, by name.
   *
   * @param {{ state?: Run['state'], timeoutMs?: number, signal?: AbortSignal }} [options]
   * @returns {Promise<Run[]>}
   */
  async runs(options = {}) {
    const { state, ...calling } = options;
    const runs = [];
    /** @type {string | undefined} */
    let after;
    for (;;) {
      const body = { limit: PAGE, ...(after && { after }), ...(state && { state }) };
      const page = await this.call('runs', body, { ...calling, type: 'RunList' });
      runs.push(...page.runs.map(runOf));
      if (!page.more || page.runs.length === 0) return runs;
      after = page.runs.at(-1).run;
    }
  }

  /**
   * One of them; throws NotFoundError if it is not kept.
   *
   * @param {string} run
   * @param {{ timeoutMs?: number, signal?: AbortSignal }} [options]
   * @returns {Promise<Run>}
   */
  async describeRun(run, options = {}) {
    return runOf(await this.call('runs', { run }, { ...options, type: 'RunDescribe' }));
  }
}
