/** What the verbs take as their last argument. */

/** @typedef {import('./content.js').Collect} Collect */
/** @typedef {import('./context.js').Context} Context */
/** @typedef {import('./errors.js').Detail} Detail */
/** @typedef {import('./header.js').CallWords} CallWords */

/**
 * @typedef {object} Common
 * @property {number} [timeoutMs] How long the call may take; also the agent's deadline. `call`
 *   takes 30,000 unless given, the others any time; Infinity is for ever.
 * @property {AbortSignal} [signal] Cancels the call, down to the agent and all it called.
 * @property {Context | null} [parent] The call that this one serves: the one being handled unless
 *   given; null: none.
 * @property {string} [run] Its name as a run: the reply is kept, and goes on over a lost
 *   connection. The same call of the same run is the same run.
 * @property {boolean} [detach] It outlives its parent and has time of its own; a run goes on
 *   without readers.
 * @property {number} [window] How many bytes the agent may run ahead of the fastest reader
 *   (1 MiB); 1: one message at a time.
 */

/** @typedef {CallWords & Common} Calling */

/**
 * @typedef {object} Collecting
 * @property {Collect} [collect] What the one value is made of: all texts (or bytes) joined, a list
 *   of all, or the last. Without it: several texts joined, others listed, one as it is, of none
 *   null.
 */

/** @typedef {Calling & Collecting} CallOptions */

/**
 * @typedef {object} Laziness
 * @property {boolean} [lazy] The agent starts with the first reader.
 */

/** @typedef {Calling & Laziness} StreamOptions */

/**
 * @typedef {object} Sends
 * @property {boolean} [ack] Resolve once it is in the agent's mailbox, or throw (the default);
 *   false: at once, and what is lost is lost.
 * @property {boolean} [observe] To take note of, not to act on.
 * @property {number} [timeoutMs] How long it may wait in the mailbox.
 * @property {AbortSignal} [signal] Stops waiting; the message may be there nevertheless.
 * @property {Context | null} [parent] As of a call.
 */

/** @typedef {CallWords & Sends} SendOptions */

/**
 * @typedef {object} Publishes
 * @property {string} [source] Whom it concerns (`default`): it names the session of each agent that
 *   the topic feeds.
 * @property {boolean} [ack] Resolve once the sidecar has handed it out, or throw (the default);
 *   false: at once, and what is lost is lost.
 * @property {number} [timeoutMs] How long it may wait for those who are slow.
 * @property {AbortSignal} [signal] Stops waiting; it may be handed out nevertheless.
 * @property {Context | null} [parent] As of a call.
 */

/** @typedef {CallWords & Publishes} PublishOptions */

/**
 * @typedef {object} SignalOptions
 * @property {string} [contentType] Of the payload, in place of the usual one.
 * @property {string} [sender] The address of an agent registered by this client: who signals.
 * @property {boolean} [ack] Resolve once everyone concerned has it, or throw (the default); false:
 *   at once, and what is lost is lost.
 * @property {number} [timeoutMs] How long that may take (30,000).
 * @property {AbortSignal} [signal] Stops waiting; the signal may be there nevertheless.
 * @property {Context | null} [parent] As of a call.
 */

/**
 * @typedef {object} ConnectOptions
 * @property {string} [name] Shown in the sidecar's lists.
 * @property {string} [token] `COAGENT_TOKEN`, or what is in the file `COAGENT_TOKEN_FILE`, unless
 *   given.
 * @property {number} [waitMs] How long to keep trying at first (0). A connection that is lost later
 *   is always made again.
 * @property {number} [repeats] How often a call that no agent has seen is made again (3).
 * @property {AbortSignal} [signal] Gives up connecting, or, once connected, closes the client.
 * @property {(message: string, error?: unknown) => void} [log] What happens on nobody's behalf: a
 *   connection lost, a `closed` hook that failed. By default to `NODE_DEBUG=coagent`.
 */

export {};
