/**
 * A light check of values against JSON Schemas, so that an agent gets what it declared.
 *
 * Of a schema `type`, `enum`, `required`, `properties` and `items` are checked, at any depth;
 * everything else it says is for its readers.
 */
/** @typedef {Readonly<Record<string, any>> | boolean} Schema A JSON Schema. */
/**
 * What is wrong with a value, or "".
 *
 * @param {Schema | undefined} schema
 * @param {unknown} value
 * @param {string} [at] Where in the message it stands.
 * @returns {string}
 */
export function mismatch(schema: Schema | undefined, value: unknown, at?: string | undefined): string;
/**
 * A JSON Schema.
 */
export type Schema = Readonly<Record<string, any>> | boolean;
