/**
 * Sends a signal; resolves once everyone concerned has it.
 *
 * @param {Verbs} client
 * @param {Target | OwnCall} target
 * @param {string} name
 * @param {unknown} payload
 * @param {SignalOptions} [options]
 * @returns {Promise<void>}
 */
export function sendSignal(client: Verbs, target: Target | OwnCall, name: string, payload: unknown, options?: import("./options.js").SignalOptions | undefined): Promise<void>;
export type SignalOptions = import('./options.js').SignalOptions;
export type Verbs = import('./verbs.js').Verbs;
/**
 * Whom a signal concerns: an address, or a run by its name.
 */
export type Target = string | {
    run: string;
};
import { OwnCall } from "./calls.js";
