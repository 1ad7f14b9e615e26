/**
 * A message as a value.
 *
 * @param {Header} header
 * @param {Kept} content
 * @returns {any}
 */
export function valueOf(header: Header, content: Kept): any;
/**
 * A message with what its header says.
 *
 * @param {Header} header
 * @param {Kept} content
 * @returns {Message}
 */
export function messageOf({ type, contentType, ext }: Header, content: Kept): Message;
/**
 * Reads whole messages, each as `convert` makes it.
 *
 * @template T
 * @extends {Reader<T>}
 */
export class MessageReader<T> extends Reader<T> {
    /**
     * @param {Receiving} receiving
     * @param {Link} start
     * @param {(header: Header, content: Kept) => T} convert
     * @param {{ showsErrors?: boolean }} options
     */
    constructor(receiving: Receiving, start: Link, convert: (header: Header, content: Kept) => T, { showsErrors }?: {
        showsErrors?: boolean;
    });
    #private;
}
/**
 * Reads frames as they come: pieces of texts as strings, of anything else as Buffers.
 *
 * @extends {Reader<string | Buffer>}
 */
export class PartReader extends Reader<string | Buffer> {
    /**
     * @param {Receiving} receiving
     * @param {Link} start
     */
    constructor(receiving: import("./receiving.js").Receiving, start: import("./receiving.js").Link);
    #private;
}
export type Kept = import('./content.js').Kept;
export type Header = import('./header.js').Header;
export type Link = import('./receiving.js').Link;
export type Receiving = import('./receiving.js').Receiving;
import { Message } from "./content.js";
/**
 * Reads one direction from where it starts. Leaving it before the end (`break`, `return()`) tells
 * the direction: when the last reader of a reply leaves, the call is cancelled.
 *
 * @template T
 * @implements {AsyncIterableIterator<T>}
 */
declare class Reader<T> implements AsyncIterableIterator<T> {
    /**
     * @param {Receiving} receiving
     * @param {Link} start
     */
    constructor(receiving: Receiving, start: Link);
    /** @returns {Promise<IteratorResult<T, undefined>>} */
    next(): Promise<IteratorResult<T, undefined>>;
    /**
     * Reads no further. After the end, nothing.
     *
     * @returns {Promise<IteratorResult<T, undefined>>}
     */
    return(): Promise<IteratorResult<T, undefined>>;
    /** As `return()`, for where nothing can be awaited. */
    leave(): void;
    /** Answers who asked, as far as something has come. */
    wake(): void;
    /**
     * The value that is complete with this frame, if one is.
     *
     * @param {Link} _link
     * @returns {T | typeof PENDING}
     */
    step(_link: Link): T | typeof PENDING;
    /** @returns {this} */
    [Symbol.asyncIterator](): this;
    /** @returns {Promise<void>} As `return()`. */
    [Symbol.asyncDispose](): Promise<void>;
    #private;
}
/** @typedef {import('./content.js').Kept} Kept */
/** @typedef {import('./header.js').Header} Header */
/** @typedef {import('./receiving.js').Link} Link */
/** @typedef {import('./receiving.js').Receiving} Receiving */
/** Not yet a value: the message goes on. */
declare const PENDING: unique symbol;
export {};
