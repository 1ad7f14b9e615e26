/**
 * @typedef {object} LocalWords
 * @property {string} [program] Path of coagentd; `COAGENTD`, or one on the PATH, unless given.
 * @property {ReadonlyArray<string>} [arguments] More of its arguments.
 */
/** @typedef {Omit<import('./options.js').ConnectOptions, 'token'> & LocalWords} LocalOptions */
/**
 * As `connect`, with a private coagentd on a temporary socket; other clients may connect to it at
 * `client.url`. It ends with the client, also if this process is killed. Throws UnavailableError
 * with its output if it does not start.
 *
 * @param {LocalOptions} [options]
 * @returns {Promise<LocalClient>}
 */
export function local(options?: LocalOptions | undefined): Promise<LocalClient>;
/**
 * The path of coagentd.
 *
 * @param {string} [program]
 * @returns {string}
 */
export function findDaemon(program?: string | undefined): string;
/** A client with a sidecar of its own, which ends with it. */
export class LocalClient extends Client {
    /**
     * @internal
     * @param {string} folder
     * @param {LocalOptions} options
     */
    constructor(folder: string, options: LocalOptions);
    /** The sidecar's process, or 0. */
    processId: number;
    /**
     * @internal
     * @param {string} program
     * @param {LocalOptions} options
     */
    launch(program: string, { arguments: more, signal }: LocalOptions): Promise<void>;
    #private;
}
export type LocalWords = {
    /**
     * Path of coagentd; `COAGENTD`, or one on the PATH, unless given.
     */
    program?: string | undefined;
    /**
     * More of its arguments.
     */
    arguments?: readonly string[] | undefined;
};
export type LocalOptions = Omit<import('./options.js').ConnectOptions, 'token'> & LocalWords;
export type ChildProcess = import('node:child_process').ChildProcess;
import { Client } from "./client.js";
