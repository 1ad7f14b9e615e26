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
export function mismatch(schema, value, at = 'the message') {
  if (typeof schema !== 'object' || schema === null) {
    return schema === false ? `${at} is not wanted` : '';
  }
  const { type, enum: values, required, properties, items } = schema;
  if (type !== undefined) {
    const types = Array.isArray(type) ? type : [type];
    if (!types.some((each) => isOf(each, value))) {
      return `${at} is ${typeOf(value)}, not ${types.join(' or ')}`;
    }
  }
  if (Array.isArray(values) && !values.some((each) => isSame(each, value))) {
    return `${at} is none of ${JSON.stringify(values)}`;
  }
  if (Array.isArray(value)) return inItems(items, value, at);
  if (typeof value !== 'object' || value === null) return '';
  const members = /** @type {Record<string, unknown>} */ (value);
  for (const key of Array.isArray(required) ? required : []) {
    if (!Object.hasOwn(members, key)) return `${at} has no ${key}`;
  }
  for (const [key, each] of Object.entries(properties ?? {})) {
    const found = Object.hasOwn(members, key) ? mismatch(each, members[key], `${at}.${key}`) : '';
    if (found !== '') return found;
  }
  return '';
}

/**
 * @param {Schema | undefined} items
 * @param {unknown[]} values
 * @param {string} at
 */
function inItems(items, values, at) {
  if (items === undefined) return '';
  for (const [index, each] of values.entries()) {
    const found = mismatch(items, each, `${at}[${index}]`);
    if (found !== '') return found;
  }
  return '';
}

/**
 * @param {unknown} type
 * @param {unknown} value
 */
function isOf(type, value) {
  switch (type) {
    case 'integer':
      return Number.isInteger(value);
    case 'number':
    case 'string':
    case 'boolean':
      return typeof value === type;
    case 'null':
      return value === null || value === undefined;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeOf(value) === 'object';
    default:
      return true; // Of a later draft.
  }
}

/** @param {unknown} value */
function typeOf(value) {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  return value instanceof Uint8Array ? 'bytes' : typeof value;
}

/**
 * @param {unknown} one
 * @param {unknown} other
 */
function isSame(one, other) {
  if (one === other) return true;
  return typeof one === 'object' && JSON.stringify(one) === JSON.stringify(other);
}
