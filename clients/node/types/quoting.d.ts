/**
 * Whether a string has no lone surrogate. V8 knows at once of strings within Latin-1.
 *
 * @param {string} text
 * @returns {boolean}
 */
export function isWellFormed(text: string): boolean;
/**
 * A JSON string; throws InvalidArgumentError for a lone surrogate.
 *
 * @param {string} text
 * @returns {string}
 */
export function quoted(text: string): string;
/**
 * A flat JSON object of strings, booleans and integers 0…2^53-1.
 *
 * @param {Readonly<Record<string, unknown>>} values
 * @param {string} field Which of the header it is, for the error.
 * @param {number} [bytesMax]
 * @returns {string}
 */
export function flatObject(values: Readonly<Record<string, unknown>>, field: string, bytesMax?: number | undefined): string;
