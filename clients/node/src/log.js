/** Where what happens on nobody's behalf is told, unless a client was given a `log` of its own. */

import { debuglog } from 'node:util';

const debug = debuglog('coagent');

/**
 * @param {string} message
 * @param {unknown} [error]
 */
export function debugging(message, error) {
  if (error === undefined) debug('%s', message);
  else debug('%s: %o', message, error);
}
