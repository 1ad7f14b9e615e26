/** @typedef {import('./errors.js').AgentError} AgentError */
/** The endpoint of such a send. */
export class Acknowledged {
    /** @param {string} address */
    constructor(address: string);
    /** @type {Promise<AgentError | undefined>} Nothing once it is accepted, else the error. */
    answer: Promise<AgentError | undefined>;
    onData(): void;
    onCredit(): void;
    onOk(): void;
    /** @param {AgentError} error */
    onError(error: AgentError): void;
    onCancel(): void;
    /** @param {AgentError} error */
    onLost(error: AgentError): void;
    #private;
}
export type AgentError = import('./errors.js').AgentError;
