/**
 * An address as a JSON string; throws InvalidArgumentError if it is none.
 *
 * @param {string} address
 * @returns {string}
 */
export function quotedAddress(address: string): string;
/**
 * Throws InvalidArgumentError unless this is an agent's name, without a session.
 *
 * @param {string} name
 */
export function checkName(name: string): void;
/**
 * The name in an address.
 *
 * @param {string} address
 * @returns {string}
 */
export function nameOf(address: string): string;
/**
 * `COAGENT_URL`, else the sidecar's socket in the runtime or the temporary folder.
 *
 * @returns {string}
 */
export function defaultUrl(): string;
/**
 * `COAGENT_TOKEN`, else what the file named by `COAGENT_TOKEN_FILE` holds, else "".
 *
 * @returns {string}
 */
export function defaultToken(): string;
/**
 * What `net.connect` wants for a url; throws InvalidArgumentError if it is none.
 *
 * @param {string} url `unix:/path` or `tcp://host:port`
 * @returns {{ path: string } | { host: string, port: number }}
 */
export function parseUrl(url: string): {
    path: string;
} | {
    host: string;
    port: number;
};
/** A short folder for sockets, whose paths have at most 107 bytes. */
export function temporaryFolder(): string;
