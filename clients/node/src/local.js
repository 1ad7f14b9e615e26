/** A private sidecar for one program, or one test: a child process on a temporary socket. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { temporaryFolder } from './address.js';
import { Client } from './client.js';
import { UnavailableError } from './errors.js';

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

const START_MS = 10_000;
const STOP_MS = 15_000;
const POLL_MS = 5;
const LOG_BYTES_SHOWN = 2000;

/**
 * Runs the daemon, says its process id, and ends it when the standard input ends: when it is told
 * so, and when this process ends, however that happens.
 */
const FOLLOW = `
exec 3<&0
"$@" </dev/null >"$COAGENT_LOCAL_LOG" 2>&1 3<&- &
daemon=$!
echo $daemon
(cat <&3 >/dev/null; kill $daemon 2>/dev/null) >/dev/null &
follower=$!
exec 3<&-
wait $daemon
code=$?
# The follower is there no more if the daemon was told to end: nobody else may be left to clean up.
kill $follower 2>/dev/null || rm -rf "$COAGENT_LOCAL_FOLDER"
exit $code
`;

/** A client with a sidecar of its own, which ends with it. */
export class LocalClient extends Client {
  /** @type {ChildProcess | undefined} */
  #process;
  #folder;
  /** @type {Promise<unknown>} */
  #exited = Promise.resolve();
  /** @type {Promise<void> | undefined} */
  #closed;

  /**
   * @internal
   * @param {string} folder
   * @param {LocalOptions} options
   */
  constructor(folder, options) {
    super(`unix:${folder}/coagentd.sock`, { ...options, token: '' });
    this.#folder = folder;
    /** The sidecar's process, or 0. */
    this.processId = 0;
  }

  /**
   * Closes the connection, then ends the sidecar.
   *
   * @returns {Promise<void>}
   */
  close() {
    this.#closed ??= super.close().then(() => this.#stop());
    return this.#closed;
  }

  /**
   * @internal
   * @param {string} program
   * @param {LocalOptions} options
   */
  async launch(program, { arguments: more = [], signal }) {
    try {
      await this.#spawn(program, more);
      await this.#listening(signal);
      await this.start(signal);
    } catch (error) {
      await this.#stop();
      throw error;
    }
  }

  /**
   * @param {string} program
   * @param {ReadonlyArray<string>} more
   */
  async #spawn(program, more) {
    const kept = Object.entries(process.env).filter(([key]) => !key.startsWith('COAGENT'));
    const command = ['-c', FOLLOW, 'sh', program, '--listen', this.url, ...more];
    const child = spawn('/bin/sh', command, {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: {
        ...Object.fromEntries(kept),
        COAGENT_LOCAL_FOLDER: this.#folder,
        COAGENT_LOCAL_LOG: this.#logPath,
      },
      detached: true, // Ctrl-C is for the program, which then ends this.
    });
    this.#process = child;
    this.#exited = once(child, 'exit');
    const [line] = await once(/** @type {import('node:stream').Readable} */ (child.stdout), 'data');
    this.processId = Number(String(line).trim());
  }

  /**
   * Resolves once somebody listens.
   *
   * @param {AbortSignal | undefined} signal
   */
  async #listening(signal) {
    const until = performance.now() + START_MS;
    const child = /** @type {ChildProcess} */ (this.#process);
    while (!(await isListening(`${this.#folder}/coagentd.sock`))) {
      if (child.exitCode !== null) {
        throw new UnavailableError(`coagentd ended with ${child.exitCode}: ${this.#log()}`);
      }
      if (performance.now() > until) {
        throw new UnavailableError(`coagentd does not listen after ${START_MS} ms`);
      }
      await delay(POLL_MS, undefined, { signal });
    }
  }

  async #stop() {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined) return;
    child.stdin?.end();
    const timer = setTimeout(() => {
      if (child.exitCode === null && this.processId > 0) process.kill(this.processId, 'SIGKILL');
    }, STOP_MS);
    await this.#exited;
    clearTimeout(timer);
    this.processId = 0;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #logPath() {
    return join(this.#folder, 'coagentd.log');
  }

  #log() {
    return readFileSync(this.#logPath).subarray(-LOG_BYTES_SHOWN).toString('utf8').trim();
  }
}

/**
 * @typedef {object} LocalWords
 * @property {string} [program] Path of coagentd; `COAGENTD`, or one on the PATH, unless given.
 * @property {ReadonlyArray<string>} [arguments] More of its arguments.
 */

/** @typedef {Omit<import('./options.js').ConnectOptions, 'token'> & LocalWords} LocalOptions */

/**
 * As `connect`, with a private coagentd on a temporary socket; other clients may connect to it at
 * `client.url`. It ends with the client, also if this process is killed. Throws UnavailableError
 * with its output if it does not start.
 *
 * @param {LocalOptions} [options]
 * @returns {Promise<LocalClient>}
 */
export async function local(options = {}) {
  const program = findDaemon(options.program);
  const client = new LocalClient(mkdtempSync(join(temporaryFolder(), 'coagent-')), options);
  await client.launch(program, options);
  return client;
}

/**
 * The path of coagentd.
 *
 * @param {string} [program]
 * @returns {string}
 */
export function findDaemon(program = process.env.COAGENTD || undefined) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const name = program ?? 'coagentd';
  const candidates = name.includes('/') ? [name] : folders.map((each) => join(each, name));
  const found = candidates.find(isProgram);
  if (found !== undefined) return found;
  throw new UnavailableError(
    program === undefined
      ? 'coagentd was not found: put it on the PATH, or name it in COAGENTD'
      : `${program} is no program that can be run`,
  );
}

/** @param {string} path */
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {string} path
 * @returns {Promise<boolean>}
 */
function isListening(path) {
  return new Promise((resolve) => {
    const socket = net.connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
