/**
 * Throws WireError for a known field of the wrong kind.
 *
 * @param {Record<string, unknown>} fields
 */
export function checkKinds(fields: Record<string, unknown>): void;
export const HEADER_BYTES_MAX_IN: 65536;
export const HEADER_BYTES_MAX_OUT: 32768;
export const CONTENT_BYTES_MAX: number;
export const FRAME_COST: 256;
export const PART_BYTES_MAX: number;
/** Bytes that cannot be trusted: the connection must close. */
export class WireError extends Error {
    /**
     * @param {string} reason One of errors.json.
     * @param {string} message
     */
    constructor(reason: string, message: string);
    reason: string;
}
/**
 * Receives the frames: op, id (0 where there is none), the header made by `make`, and where the
 * content stands. The bytes are overwritten after it returns.
 *
 * @template H
 * @typedef {(op: string, id: number, header: H, bytes: Buffer, start: number, end: number)
 *   => void} FrameSink
 */
/**
 * Turns bytes, however they are cut, into frames.
 *
 * @template H
 */
export class Decoder<H> {
    /**
     * @param {FrameSink<H>} sink
     * @param {(raw: Record<string, any>) => H} make What becomes of a header's other fields.
     * @param {{ headerBytesMax?: number, contentBytesMax?: number }} [limits]
     */
    constructor(sink: FrameSink<H>, make: (raw: Record<string, any>) => H, limits?: {
        headerBytesMax?: number | undefined;
        contentBytesMax?: number | undefined;
    } | undefined);
    contentBytesMax: number;
    /** @type {WireError | undefined} Why nothing more is taken. */
    error: WireError | undefined;
    /** How many bytes wait for the rest of their frame. */
    get rest(): number;
    /** No frame is given to the sink any more. */
    stop(): void;
    /**
     * Gives the sink what is complete with these bytes. Never throws for them: after the first frame
     * that cannot be trusted, `error` is set and nothing more taken.
     *
     * @param {Buffer} bytes
     * @param {number} [size] How many of them count.
     */
    feed(bytes: Buffer, size?: number | undefined): void;
    #private;
}
/**
 * Receives the frames: op, id (0 where there is none), the header made by `make`, and where the
 * content stands. The bytes are overwritten after it returns.
 */
export type FrameSink<H> = (op: string, id: number, header: H, bytes: Buffer, start: number, end: number) => void;
