/** What a connection talks to: what its ids stand for, and whom it reports to. */

/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./errors.js').AgentError} AgentError */
/** @typedef {import('./header.js').Header} Header */

/**
 * What an open id stands for. Called from the reader: returns at once, throws nothing. The bytes
 * of content are overwritten afterwards.
 *
 * @typedef {object} Endpoint
 * @property {(header: Header, bytes: Buffer, start: number, end: number) => void} onData
 * @property {(bytes: number) => void} onCredit
 * @property {() => void} onOk
 * @property {(error: AgentError, isMore: boolean) => void} onError
 * @property {(reason: string) => void} onCancel
 * @property {(error: AgentError) => void} onLost
 */

/**
 * Whom a connection reports to.
 *
 * @typedef {object} Owner
 * @property {(connection: Connection) => void} opened Hello is written.
 * @property {(connection: Connection) => void} welcomed
 * @property {(connection: Connection, id: number, header: Header, bytes: Buffer, start: number,
 *   end: number) => void} called
 * @property {(connection: Connection, id: number, header: Header, bytes: Buffer, start: number,
 *   end: number) => void} signalled
 * @property {(connection: Connection, id: number, header: Header) => void} closing
 * @property {(connection: Connection, timeoutMs: number) => void} drained By the
 *   operator; it stays.
 * @property {(connection: Connection, error: AgentError) => void} lost
 */

export {};
