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
    signal(to: Target, name: string, payload?: unknown, options?: import("./options.js").SignalOptions | undefined): Promise<void>;
    /**
     * Interrupts the calls that run in a session, or a run. What waits is not touched.
     *
     * @param {Target} to `name:session` or `{ run }`
     * @param {unknown} [payload] What the agent is told: any value.
     * @param {SignalOptions} [options]
     * @returns {Promise<void>}
     */
    interrupt(to: Target, payload?: unknown, options?: import("./options.js").SignalOptions | undefined): Promise<void>;
    /**
     * Ends a session with all that runs and waits in it, or a run.
     *
     * @param {Target} to `name:session` or `{ run }`
     * @param {SignalOptions} [options]
     * @returns {Promise<void>}
     */
    cancel(to: Target, options?: import("./options.js").SignalOptions | undefined): Promise<void>;
    /**
     * Gives nothing that waits in a session to its agent until `resume`. What runs goes on.
     *
     * @param {string} address `name:session`
     * @param {SignalOptions} [options]
     * @returns {Promise<void>}
     */
    pause(address: string, options?: import("./options.js").SignalOptions | undefined): Promise<void>;
    /**
     * @param {string} address `name:session`
     * @param {SignalOptions} [options]
     * @returns {Promise<void>}
     */
    resume(address: string, options?: import("./options.js").SignalOptions | undefined): Promise<void>;
    /**
     * Reads a run, from its first frame unless the options say otherwise, as often as one likes. To
     * leave it ends nothing but the reading.
     *
     * @param {string} run
     * @param {Attachment & AttachOptions} [options]
     * @returns {Reply}
     */
    attach(run: string, options?: (import("./runs.js").Attachment & AttachOptions) | undefined): Reply;
    /**
     * The runs of this client's principal that are kept, by name.
     *
     * @param {{ state?: Run['state'], timeoutMs?: number, signal?: AbortSignal }} [options]
     * @returns {Promise<Run[]>}
     */
    runs(options?: {
        state?: "waiting" | "running" | "ended" | undefined;
        timeoutMs?: number | undefined;
        signal?: AbortSignal | undefined;
    } | undefined): Promise<Run[]>;
    /**
     * One of them; throws NotFoundError if it is not kept.
     *
     * @param {string} run
     * @param {{ timeoutMs?: number, signal?: AbortSignal }} [options]
     * @returns {Promise<Run>}
     */
    describeRun(run: string, options?: {
        timeoutMs?: number | undefined;
        signal?: AbortSignal | undefined;
    } | undefined): Promise<Run>;
}
export type SignalOptions = import('./options.js').SignalOptions;
export type StreamOptions = import('./options.js').StreamOptions;
export type Attachment = import('./runs.js').Attachment;
export type Run = import('./runs.js').Run;
export type Target = import('./signalling.js').Target;
export type AttachOptions = Pick<StreamOptions, 'timeoutMs' | 'signal' | 'window' | 'parent'>;
import { Verbs } from "./verbs.js";
import { Reply } from "./reply.js";
