/** Addresses of agents, and where the sidecar listens. */

import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';

import { InvalidArgumentError } from './errors.js';
import { quoted } from './quoting.js';

const NAME_BYTES_MAX = 128;
const SESSION_BYTES_MAX = 128;

const nameForm = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/;
const forbiddenInSession = /[\u0000-\u0020\u007f-\u009f]/;

/**
 * An address as a JSON string; throws InvalidArgumentError if it is none.
 *
 * @param {string} address
 * @returns {string}
 */
export function quotedAddress(address) {
  if (typeof address !== 'string') throw bad(address, 'an address is a string');
  const colon = address.indexOf(':');
  const name = colon < 0 ? address : address.slice(0, colon);
  if (name.length > NAME_BYTES_MAX || !nameForm.test(name)) {
    throw bad(address, 'a name is 1 to 128 of A–Z a–z 0–9 _ - in segments joined by dots');
  }
  if (colon < 0) return `"${name}"`;
  const session = address.slice(colon + 1);
  const size = Buffer.byteLength(session);
  if (size < 1 || size > SESSION_BYTES_MAX || forbiddenInSession.test(session)) {
    throw bad(address, 'a session is 1 to 128 bytes without spaces and controls');
  }
  return quoted(address);
}

/**
 * Throws InvalidArgumentError unless this is an agent's name, without a session.
 *
 * @param {string} name
 */
export function checkName(name) {
  quotedAddress(name);
  if (name.includes(':')) throw bad(name, "an agent's name has no session");
}

/**
 * The name in an address.
 *
 * @param {string} address
 * @returns {string}
 */
export function nameOf(address) {
  const colon = address.indexOf(':');
  return colon < 0 ? address : address.slice(0, colon);
}

/**
 * `COAGENT_URL`, else the sidecar's socket in the runtime or the temporary folder.
 *
 * @returns {string}
 */
export function defaultUrl() {
  const { COAGENT_URL: url, XDG_RUNTIME_DIR: runtime, TMPDIR: temporary } = process.env;
  if (url) return url;
  if (runtime) return `unix:${runtime}/coagent/coagentd.sock`;
  const folder = (temporary || '/tmp').replace(/\/+$/, '');
  const uid = process.getuid === undefined ? 0 : process.getuid();
  return `unix:${folder}/coagent-${uid}/coagentd.sock`;
}

/**
 * `COAGENT_TOKEN`, else what the file named by `COAGENT_TOKEN_FILE` holds, else "".
 *
 * @returns {string}
 */
export function defaultToken() {
  const { COAGENT_TOKEN: token, COAGENT_TOKEN_FILE: path } = process.env;
  if (token) return token;
  if (!path) return '';
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new InvalidArgumentError(`COAGENT_TOKEN_FILE cannot be read: ${path}`, {
      reason: 'bad_token',
      cause: error,
    });
  }
}

/**
 * What `net.connect` wants for a url; throws InvalidArgumentError if it is none.
 *
 * @param {string} url `unix:/path` or `tcp://host:port`
 * @returns {{ path: string } | { host: string, port: number }}
 */
export function parseUrl(url) {
  if (url.startsWith('unix:')) {
    const path = url.startsWith('unix://') ? url.slice(7) : url.slice(5);
    if (path !== '') return { path };
  }
  const tcp = /^tcp:\/\/(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/[\]@?#]+)):([0-9]{1,5})\/?$/.exec(url);
  if (tcp !== null && Number(tcp[3]) <= 65535) {
    return { host: tcp[1] ?? tcp[2], port: Number(tcp[3]) };
  }
  throw bad(url, 'neither unix:/path nor tcp://host:port');
}

/** A short folder for sockets, whose paths have at most 107 bytes. */
export function temporaryFolder() {
  const folder = tmpdir();
  return folder.length < 60 ? folder : '/tmp';
}

/**
 * @param {unknown} given
 * @param {string} why
 */
function bad(given, why) {
  return new InvalidArgumentError(`${JSON.stringify(given)?.slice(0, 200)}: ${why}`, {
    reason: 'bad_address',
  });
}
