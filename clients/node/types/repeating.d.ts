/** What a timer can be set to; 25 days. */
export const TIMER_MS_MAX: number;
/** How often something was sent again so far, and whether it may be once more. */
export class Repeats {
    /**
     * @param {Verbs} client
     * @param {boolean} [awaitsAgents] Not there is not yet there, behind a reconnect.
     */
    constructor(client: Verbs, awaitsAgents?: boolean | undefined);
    /**
     * How long to wait until it is sent again, or undefined if it is not.
     *
     * @param {AgentError} error What it was refused with.
     * @returns {number | undefined}
     */
    delayMs(error: AgentError): number | undefined;
    #private;
}
export type AgentError = import('./errors.js').AgentError;
export type Verbs = import('./verbs.js').Verbs;
