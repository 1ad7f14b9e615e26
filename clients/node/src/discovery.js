/** Who is there: what `discover` lists and `watch` follows. */

import './disposal.js';
import { UnavailableError } from './errors.js';
import { queryBody } from './header.js';

/** @typedef {import('./content.js').Message} Message */
/** @typedef {import('./header.js').Query} Query */
/** @typedef {import('./verbs.js').Verbs} Verbs */

/**
 * One kind of message an agent handles, with the JSON Schemas of its input and output.
 *
 * @typedef {object} OperationCard
 * @property {string} name
 * @property {string} description
 * @property {any} [input]
 * @property {any} [output]
 * @property {boolean} streaming
 */

/**
 * An agent as discovery shows it; all behind the description only with `detailed`.
 *
 * @typedef {object} AgentCard
 * @property {string} name
 * @property {string} address What to call: the name.
 * @property {string} description
 * @property {string} version
 * @property {Readonly<Record<string, string>>} labels
 * @property {ReadonlyArray<OperationCard>} operations
 * @property {number} replicas
 */

/**
 * What a watch tells: all agents at first and after a gap (`isSnapshot`), then who came or changed
 * and who went.
 *
 * @typedef {object} Change
 * @property {number} revision
 * @property {ReadonlyArray<AgentCard>} registered
 * @property {ReadonlyArray<string>} deregistered
 * @property {boolean} isSnapshot
 */

/**
 * @typedef {object} Following
 * @property {number} [fromRevision] No snapshot, if the sidecar knows all changes since.
 * @property {AbortSignal} [signal] Ends the watch, with `cancelled`.
 */

/** @typedef {Query & Following} WatchOptions */

/**
 * Changes as they come; leaving the loop ends it. It goes on over reconnects.
 *
 * @implements {AsyncIterableIterator<Change>}
 */
export class Watch {
  #client;
  #namespace;
  #options;
  #revision;
  /** @type {AsyncIterableIterator<Message> | undefined} */
  #reader;

  /**
   * Made by `client.watch`.
   *
   * @param {Verbs} client
   * @param {string} namespace
   * @param {WatchOptions} options
   */
  constructor(client, namespace, options) {
    this.#client = client;
    this.#namespace = namespace;
    this.#options = options;
    this.#revision = options.fromRevision;
    this.#reader = this.#open();
  }

  /** @returns {this} */
  [Symbol.asyncIterator]() {
    return this;
  }

  /** @returns {Promise<IteratorResult<Change, undefined>>} */
  async next() {
    for (;;) {
      if (this.#reader === undefined) return { value: undefined, done: true };
      try {
        const { value, done } = await this.#reader.next();
        if (!done) {
          const change = changeOf(value);
          this.#revision = change.revision;
          return { value: change, done: false };
        }
        this.#reader = undefined;
      } catch (error) {
        if (!(error instanceof UnavailableError)) throw error;
        const connection = await this.#client.connected(this.#options.signal);
        if (connection.isDrained) throw error;
        // A sidecar that does not know all that came since answers with a snapshot.
        if (this.#reader !== undefined) this.#reader = this.#open();
      }
    }
  }

  /**
   * Ends the watch.
   *
   * @returns {Promise<IteratorResult<Change, undefined>>}
   */
  async return() {
    const reader = this.#reader;
    this.#reader = undefined;
    await reader?.return?.();
    return { value: undefined, done: true };
  }

  /** @returns {Promise<void>} As `return()`. */
  async [Symbol.asyncDispose]() {
    await this.return();
  }

  #open() {
    const { signal } = this.#options;
    const body = queryBody(this.#namespace, this.#options, this.#revision);
    const reply = this.#client.stream('discovery', body, {
      type: 'DiscoveryWatch',
      parent: null,
      ...(signal !== undefined && { signal }),
    });
    return reply.messages();
  }
}

/**
 * An agent as the sidecar writes it.
 *
 * @param {any} value
 * @returns {AgentCard}
 */
export function cardOf(value) {
  const { name, description = '', version = '', labels = {}, operations, replicas = 0 } = value;
  return {
    name,
    address: name,
    description,
    version,
    labels,
    operations: (operations ?? []).map(operationOf),
    replicas,
  };
}

/**
 * @param {any} value
 * @returns {OperationCard}
 */
function operationOf({ name = '', description = '', input, output, streaming = false }) {
  return {
    name,
    description,
    ...(input !== undefined && { input }),
    ...(output !== undefined && { output }),
    streaming,
  };
}

/**
 * @param {Message} message
 * @returns {Change}
 */
function changeOf(message) {
  const { value } = message;
  const isSnapshot = message.type === 'DiscoverySnapshot' || 'agents' in value;
  return {
    revision: value.revision,
    registered: (isSnapshot ? value.agents : value.registered ?? []).map(cardOf),
    deregistered: isSnapshot ? [] : value.deregistered ?? [],
    isSnapshot,
  };
}
