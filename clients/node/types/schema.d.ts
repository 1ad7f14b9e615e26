/**
 * Whether values are what an agent declared: by a validator of the user's choice, or by a light
 * check.
 *
 * Of a JSON Schema the light check knows `type`, `enum`, `required`, `properties` and `items`, at
 * any depth; everything else it says is for its readers.
 */
/** @typedef {Readonly<Record<string, any>> | boolean} Schema A JSON Schema. */
/**
 * What a validator found wrong: in words, or as most libraries say it. `instancePath` is a JSON
 * Pointer.
 *
 * @typedef {string | { message?: string, instancePath?: string }} Finding
 */
/**
 * Says what is wrong with a value: nothing, an empty list, or findings, of which the first is told.
 *
 * @typedef {(value: any, schema: Schema) => ReadonlyArray<Finding> | null | undefined} Validate
 */
/**
 * What is wrong, and where: a JSONPath, `$` being the whole.
 *
 * @typedef {{ path: string, message: string }} Fault
 */
/**
 * What is wrong with a value, if anything is.
 *
 * @param {Schema} schema
 * @param {unknown} value
 * @param {Validate} [validate] In place of the light check.
 * @returns {Fault | undefined}
 */
export function faultOf(schema: Schema, value: unknown, validate?: Validate | undefined): Fault | undefined;
/**
 * @param {Schema | undefined} schema
 * @param {unknown} value
 * @param {string} [path] Where in the message it stands.
 * @returns {Fault | undefined}
 */
export function mismatch(schema: Schema | undefined, value: unknown, path?: string | undefined): Fault | undefined;
/**
 * A JSON Schema.
 */
export type Schema = Readonly<Record<string, any>> | boolean;
/**
 * What a validator found wrong: in words, or as most libraries say it. `instancePath` is a JSON
 * Pointer.
 */
export type Finding = string | {
    message?: string;
    instancePath?: string;
};
/**
 * Says what is wrong with a value: nothing, an empty list, or findings, of which the first is told.
 */
export type Validate = (value: any, schema: Schema) => ReadonlyArray<Finding> | null | undefined;
/**
 * What is wrong, and where: a JSONPath, `$` being the whole.
 */
export type Fault = {
    path: string;
    message: string;
};
