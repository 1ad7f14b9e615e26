export class Outbox {
    /** @param {import('node:net').Socket} socket */
    constructor(socket: import('node:net').Socket);
    /** The socket takes nothing more for now. */
    isFull: boolean;
    /**
     * Puts a frame behind those before it; returns how many bytes its content takes.
     *
     * @param {string} header
     * @param {string | Uint8Array} [content] Text is written as UTF-8.
     * @returns {number}
     */
    append(header: string, content?: string | Uint8Array | undefined): number;
    /** Writes what is there. */
    flush(): void;
    /** The socket has taken what waited. */
    drained(): void;
    /** Writes what is there, and takes nothing more. */
    close(): void;
    #private;
}
