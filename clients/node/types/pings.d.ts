/** The pings of one connection. */
export class Pings {
    /** @param {() => void} write Writes a `ping`. */
    constructor(write: () => void);
    /** A byte came. */
    heard(): void;
    /** A `pong` came. */
    answered(): void;
    /**
     * Begins to look for silence.
     *
     * @param {number} heartbeatMs After so long a silence, and again and again, it pings.
     * @param {(message: string) => void} givenUp Called once, after the third.
     */
    start(heartbeatMs: number, givenUp: (message: string) => void): void;
    /** The connection has ended. */
    stop(): void;
    /**
     * Resolves when the sidecar has read all that was written so far, or the connection has ended;
     * a second later at the latest.
     *
     * @returns {Promise<void>}
     */
    roundTrip(): Promise<void>;
    #private;
}
