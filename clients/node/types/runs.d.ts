/**
 * @param {any} raw As the sidecar writes it.
 * @returns {Run}
 */
export function runOf(raw: any): Run;
/** @typedef {import('./collecting.js').Collecting} Collecting */
/** @typedef {import('./receiving.js').Receiving} Receiving */
/** @typedef {import('./requests.js').Request} Request */
/**
 * A run as the sidecar lists it.
 *
 * @typedef {object} Run
 * @property {string} name
 * @property {string} to What was called.
 * @property {string} type The type of its message, or "".
 * @property {'waiting' | 'running' | 'ended'} state
 * @property {number} frames How many there were so far.
 * @property {number} first The oldest that is kept.
 * @property {number} bytes How many are kept.
 * @property {number} readers
 * @property {boolean} isDetached It goes on without readers.
 * @property {number} ageMs
 * @property {number | undefined} endedMs How long ago it ended; undefined while it is open.
 * @property {string} code Of its end; "" while it is open, or where it ended well.
 * @property {string} principal Whose it is: `uid 1000`, `token ci`.
 */
/**
 * @typedef {object} Attachment
 * @property {number} [from] The number of the first frame (0).
 * @property {boolean} [tail] Only what comes from now on.
 */
/** How far a call here has read a run. */
export class RunReading {
    /**
     * @param {string} run
     * @param {Attachment} [attachment] None for the call that opened it.
     */
    constructor(run: string, attachment?: Attachment | undefined);
    /** It was attached to again: its connection was lost. */
    isResumed: boolean;
    /** What an `Attach` says. */
    get body(): {
        run: string;
        tail: boolean;
    } | {
        resume?: boolean | undefined;
        run: string;
        from: number;
        tail?: undefined;
    };
    /** A frame came. */
    count(): void;
    /**
     * The request to go on with on the next connection; undefined where nobody knows where: with a
     * call that it served, with a message that was still going out, or for want of a number.
     *
     * @param {Request} request
     * @param {boolean} isSending The first message is still going out.
     * @returns {Request | undefined}
     */
    resumed(request: Request, isSending: boolean): Request | undefined;
    /**
     * The same with what it says at this moment: how far it is, and what of its window is free.
     *
     * @param {Request} request
     * @param {Receiving | Collecting} sink What takes the reply, and holds what was not read yet.
     * @returns {Request}
     */
    attaching(request: Request, sink: Receiving | Collecting): Request;
    #private;
}
export type Collecting = import('./collecting.js').Collecting;
export type Receiving = import('./receiving.js').Receiving;
export type Request = import('./requests.js').Request;
/**
 * A run as the sidecar lists it.
 */
export type Run = {
    name: string;
    /**
     * What was called.
     */
    to: string;
    /**
     * The type of its message, or "".
     */
    type: string;
    state: 'waiting' | 'running' | 'ended';
    /**
     * How many there were so far.
     */
    frames: number;
    /**
     * The oldest that is kept.
     */
    first: number;
    /**
     * How many are kept.
     */
    bytes: number;
    readers: number;
    /**
     * It goes on without readers.
     */
    isDetached: boolean;
    ageMs: number;
    /**
     * How long ago it ended; undefined while it is open.
     */
    endedMs: number | undefined;
    /**
     * Of its end; "" while it is open, or where it ended well.
     */
    code: string;
    /**
     * Whose it is: `uid 1000`, `token ci`.
     */
    principal: string;
};
export type Attachment = {
    /**
     * The number of the first frame (0).
     */
    from?: number | undefined;
    /**
     * Only what comes from now on.
     */
    tail?: boolean | undefined;
};
