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
export function faultOf(schema, value, validate) {
  if (validate === undefined) return mismatch(schema, value);
  const [first] = validate(value, schema) ?? [];
  if (first === undefined) return undefined;
  if (typeof first === 'string') return { path: '$', message: first };
  const { message = 'does not fit', instancePath = '' } = first;
  return { path: pathOf(instancePath), message };
}

/**
 * A JSON Pointer as a JSONPath.
 *
 * @param {string} pointer
 */
function pathOf(pointer) {
  const segments = pointer.split('/').slice(1);
  const steps = segments.map((each) => {
    const key = each.replaceAll('~1', '/').replaceAll('~0', '~');
    return /^(0|[1-9]\d*)$/.test(key) ? `[${key}]` : `.${key}`;
  });
  return `$${steps.join('')}`;
}

/**
 * @param {Schema | undefined} schema
 * @param {unknown} value
 * @param {string} [path] Where in the message it stands.
 * @returns {Fault | undefined}
 */
export function mismatch(schema, value, path = '$') {
  if (typeof schema !== 'object' || schema === null) {
    return schema === false ? { path, message: 'is not wanted' } : undefined;
  }
  const { type, enum: values, required, properties, items } = schema;
  if (type !== undefined) {
    const types = Array.isArray(type) ? type : [type];
    if (!types.some((each) => isOf(each, value))) {
      return { path, message: `is ${typeOf(value)}, not ${types.join(' or ')}` };
    }
  }
  if (Array.isArray(values) && !values.some((each) => isSame(each, value))) {
    return { path, message: `is none of ${JSON.stringify(values)}` };
  }
  if (Array.isArray(value)) return inItems(items, value, path);
  if (typeof value !== 'object' || value === null) return undefined;
  const members = /** @type {Record<string, unknown>} */ (value);
  for (const key of Array.isArray(required) ? required : []) {
    if (!Object.hasOwn(members, key)) return { path, message: `has no ${key}` };
  }
  for (const [key, each] of Object.entries(properties ?? {})) {
    const isThere = Object.hasOwn(members, key);
    const found = isThere ? mismatch(each, members[key], `${path}.${key}`) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * @param {Schema | undefined} items
 * @param {unknown[]} values
 * @param {string} path
 * @returns {Fault | undefined}
 */
function inItems(items, values, path) {
  if (items === undefined) return undefined;
  for (const [index, each] of values.entries()) {
    const found = mismatch(items, each, `${path}[${index}]`);
    if (found !== undefined) return found;
  }
  return undefined;
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
