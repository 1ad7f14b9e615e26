/** The conformance driver of the Node client: does what ../../DRIVER.md says, line by line. */

import { createInterface } from 'node:readline';

import { AgentError, connect } from '../../../../clients/node/src/index.js';
import { fixedAgents } from './agents.mjs';
import { Callers } from './callers.mjs';
import { decode } from './decoding.mjs';
import { ScriptedCalls } from './scripted.mjs';
import { errorJson } from './values.mjs';

class Driver {
  #clients = new Map();
  #registrations = new Map();
  /** What cancels a command, by its number. */
  #running = new Map();
  #agents;
  #commands;

  constructor() {
    const scripted = new ScriptedCalls(emit, (name) => callers.reply(name));
    const callers = new Callers(this.#clients, (name) => scripted.context(name));
    this.#agents = { ...fixedAgents(emit), ...scripted.agents };
    this.#commands = {
      connect: (command, signal) => this.#connect(command, signal),
      close: (command) => this.#clients.get(command.client).close(),
      drain: (command) => this.#drain(command),
      register: (command) => this.#register(command),
      unregister: (command) => this.#registrations.get(command.of).close(),
      decode,
      ...callers.commands,
      ...scripted.commands,
      cancel: (command, signal) => this.#cancel(command, signal, callers),
    };
  }

  /** Cancels a command, or what runs elsewhere. */
  #cancel(command, signal, callers) {
    if (!('command' in command)) return callers.commands.cancel(command, signal);
    return this.#running.get(command.command)?.abort();
  }

  /** Runs a command; what it does before its first wait happens at once. */
  async perform(command) {
    const { n } = command;
    const work = this.#commands[command.do];
    if (work === undefined) {
      emit({ n, unsupported: `no command ${command.do}` });
      return;
    }
    const abort = new AbortController();
    this.#running.set(n, abort);
    try {
      emit({ n, ok: (await work(command, abort.signal)) ?? {} });
    } catch (error) {
      emit({ n, error: this.#failure(error, abort.signal) });
    } finally {
      this.#running.delete(n);
    }
  }

  #failure(error, signal) {
    if (error instanceof AgentError) return errorJson(error);
    if (signal.aborted) return { code: 'cancelled', reason: '', message: String(error) };
    console.error(error);
    return { code: 'driver', reason: '', message: String(error) };
  }

  async #connect({ as, url, name, token = '', wait_ms: waitMs = 0 }, signal) {
    const stop = new AbortController();
    signal.addEventListener('abort', () => stop.abort());
    this.#clients.set(as, await connect(url, { name, token, waitMs, signal: stop.signal }));
  }

  async #drain({ client, timeout_ms: timeoutMs }) {
    await this.#clients.get(client).drain({ timeoutMs });
  }

  async #register(command) {
    const known = this.#agents[command.agent];
    const { target, options } = typeof known === 'function' ? known(command) : known;
    const { description, version, labels, concurrency, exclusive, topics } = command;
    const { session_concurrency: sessionConcurrency, idle_ms: idleMs } = command;
    const words = { description, version, labels, concurrency, exclusive, topics };
    const client = this.#clients.get(command.client);
    const registration = await client.register(command.name, target, {
      ...options,
      ...words,
      sessionConcurrency,
      idleMs,
    });
    this.#registrations.set(command.as, registration);
  }

  /** Closes every client. */
  async end() {
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
  }
}

/** Writes a line. The runner always reads. */
function emit(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

const driver = new Driver();
const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
lines.on('line', (line) => driver.perform(JSON.parse(line)));
lines.on('close', () => driver.end());
emit({ event: 'ready', language: 'node' });
