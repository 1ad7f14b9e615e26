export type Connection = import('./connection.js').Connection;
export type AgentError = import('./errors.js').AgentError;
export type Header = import('./header.js').Header;
/**
 * What an open id stands for. Called from the reader: returns at once, throws nothing. The bytes
 * of content are overwritten afterwards.
 */
export type Endpoint = {
    onData: (header: Header, bytes: Buffer, start: number, end: number) => void;
    onCredit: (bytes: number) => void;
    onOk: () => void;
    onError: (error: AgentError, isMore: boolean) => void;
    onCancel: (reason: string) => void;
    onLost: (error: AgentError) => void;
};
/**
 * Whom a connection reports to.
 */
export type Owner = {
    /**
     * Hello is written.
     */
    opened: (connection: Connection) => void;
    welcomed: (connection: Connection) => void;
    called: (connection: Connection, id: number, header: Header, bytes: Buffer, start: number, end: number) => void;
    signalled: (connection: Connection, id: number, header: Header, bytes: Buffer, start: number, end: number) => void;
    closing: (connection: Connection, id: number, header: Header) => void;
    /**
     * By the
     * operator; it stays.
     */
    drained: (connection: Connection, timeoutMs: number) => void;
    lost: (connection: Connection, error: AgentError) => void;
};
