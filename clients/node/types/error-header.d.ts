/**
 * Throws InvalidArgumentError for a header over the limit.
 *
 * @param {string} header All of it, or what stands behind op and id.
 */
export function checkHeader(header: string): void;
/**
 * The header of an `error`, within its limits whatever was thrown.
 *
 * @param {number} id 0: about the connection.
 * @param {unknown} thrown
 * @param {{ retry?: boolean, isMore?: boolean }} options
 * @returns {string}
 */
export function errorHeader(id: number, thrown: unknown, { retry, isMore }?: {
    retry?: boolean;
    isMore?: boolean;
}): string;
