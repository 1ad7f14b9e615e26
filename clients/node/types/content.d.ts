/**
 * What is sent of a value; throws InvalidArgumentError if it cannot be. `undefined` is no content.
 *
 * @param {unknown} value
 * @returns {Encoded}
 */
export function encode(value: unknown): Encoded;
/**
 * JSON text of a value.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function encodeJson(value: unknown): string;
/**
 * How many bytes content takes.
 *
 * @param {string | Uint8Array} content
 * @returns {number}
 */
export function sizeOf(content: string | Uint8Array): number;
/**
 * The value of content that stands from `start` to `end` in bytes that will be overwritten; throws
 * InvalidArgumentError if it is not what it claims to be.
 *
 * @param {Buffer} bytes
 * @param {number} start
 * @param {number} end
 * @param {string} contentType "" is JSON.
 * @returns {any}
 */
export function decode(bytes: Buffer, start: number, end: number, contentType: string): any;
/**
 * As `decode`, of content that is kept.
 *
 * @param {Kept} kept
 * @param {string} contentType
 * @returns {any}
 */
export function decodeKept(kept: Kept, contentType: string): any;
/**
 * A copy of bytes that will be overwritten.
 *
 * @param {Buffer} bytes
 * @param {number} start
 * @param {number} end
 * @returns {Kept}
 */
export function keep(bytes: Buffer, start: number, end: number): Kept;
/**
 * Several pieces as one.
 *
 * @param {Kept[]} pieces
 * @returns {Kept}
 */
export function joinKept(pieces: Kept[]): Kept;
/**
 * What one value is made of: all texts (or bytes) joined, a list of all, or the last.
 *
 * @typedef {'join' | 'list' | 'last'} Collect
 */
/**
 * What one who asked for one value gets; throws InvalidArgumentError for what does not join. Unless
 * they said what: null of none, the one, several texts joined, else the list.
 *
 * @param {any[]} values
 * @param {Collect} [collect]
 * @returns {any}
 */
export function collected(values: any[], collect?: Collect | undefined): any;
/** @param {string} contentType */
export function isText(contentType: string): boolean;
/**
 * Whether every byte, or character, is below 128.
 *
 * @param {string} text
 */
export function isAscii(text: string): boolean;
/** @typedef {import('./errors.js').AgentError} AgentError */
/** @typedef {import('./errors.js').Detail} Detail */
/**
 * Content that is kept: bytes, or where they are few a string with a character for each of them,
 * which takes no more memory than they do and is made faster than a Buffer.
 *
 * @typedef {string | Buffer} Kept
 */
export const JSON_TYPE: "application/json";
export const TEXT_TYPE: "text/plain";
export const BYTES_TYPE: "application/octet-stream";
/**
 * @typedef {object} MessageOptions
 * @property {string} [type] The name of its kind, such as `ChatMessage`.
 * @property {string} [contentType] In place of the usual one of the value.
 * @property {Readonly<Record<string, Detail>>} [ext] For whoever handles it at the other end.
 */
/** One message of a call or a reply: its content and what the header says of it. */
export class Message {
    /**
     * The message that carries this value, as a verb or an agent would make it.
     *
     * @param {unknown} value
     * @param {MessageOptions} [options]
     * @returns {Message}
     */
    static of(value: unknown, options?: MessageOptions | undefined): Message;
    /**
     * Yielded by an agent: an error at this position of a stream that goes on.
     *
     * @param {AgentError} error
     * @returns {Message}
     */
    static failed(error: AgentError): Message;
    /**
     * A message of these bytes; of a value: `Message.of`.
     *
     * @param {Uint8Array | string} content Bytes; a string has a character for each of them.
     * @param {MessageOptions & { error?: AgentError }} [options]
     */
    constructor(content: Uint8Array | string, options?: (MessageOptions & {
        error?: import("./errors.js").AgentError | undefined;
    }) | undefined);
    /** JSON if nothing else was said. */
    contentType: string;
    /** The name of its kind, or "". */
    type: string;
    /** What the other end said besides. */
    ext: Readonly<Record<string, import("./errors.js").Detail>>;
    /**
     * Set, and the content empty, for an error at a position of a stream that went on behind it.
     *
     * @type {AgentError | undefined}
     */
    error: AgentError | undefined;
    /** The bytes. */
    get content(): Buffer;
    /** JSON as its value, text as a string, anything else as a Buffer. Throws `error`. */
    get value(): any;
    #private;
}
/** Yielded by an agent: a piece of a message that goes on, such as a token of a text. The message
 * ends with the next value that is no Part, or with the reply. */
export class Part {
    /**
     * @param {string | Uint8Array} content
     * @param {{ type?: string }} [options] The message's type, said with its first piece.
     */
    constructor(content: string | Uint8Array, options?: {
        type?: string | undefined;
    } | undefined);
    content: string | Uint8Array;
    type: string;
}
/** A value ready to be sent. A string is text that is still to be written as UTF-8. */
export class Encoded {
    /**
     * @param {string | Uint8Array} content
     * @param {string} contentType
     * @param {string} [type]
     * @param {Readonly<Record<string, Detail>>} [ext]
     */
    constructor(content: string | Uint8Array, contentType: string, type?: string | undefined, ext?: Readonly<Record<string, import("./errors.js").Detail>> | undefined);
    content: string | Uint8Array;
    contentType: string;
    type: string;
    ext: Readonly<Record<string, import("./errors.js").Detail>> | undefined;
}
/**
 * What one value is made of: all texts (or bytes) joined, a list of all, or the last.
 */
export type Collect = 'join' | 'list' | 'last';
export type AgentError = import('./errors.js').AgentError;
export type Detail = import('./errors.js').Detail;
/**
 * Content that is kept: bytes, or where they are few a string with a character for each of them,
 * which takes no more memory than they do and is made faster than a Buffer.
 */
export type Kept = string | Buffer;
export type MessageOptions = {
    /**
     * The name of its kind, such as `ChatMessage`.
     */
    type?: string | undefined;
    /**
     * In place of the usual one of the value.
     */
    contentType?: string | undefined;
    /**
     * For whoever handles it at the other end.
     */
    ext?: Readonly<Record<string, import("./errors.js").Detail>> | undefined;
};
