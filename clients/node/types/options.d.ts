export type Collect = import('./content.js').Collect;
export type Context = import('./context.js').Context;
export type Detail = import('./errors.js').Detail;
export type CallWords = import('./header.js').CallWords;
export type Common = {
    /**
     * How long the call may take; also the agent's deadline. `call`
     * takes 30,000 unless given, the others any time; Infinity is for ever.
     */
    timeoutMs?: number | undefined;
    /**
     * Cancels the call, down to the agent and all it called.
     */
    signal?: AbortSignal | undefined;
    /**
     * The call that this one serves: the one being handled unless
     * given; null: none.
     */
    parent?: import("./context.js").Context | null | undefined;
    /**
     * Its name as a run: the reply is kept, and goes on over a lost
     * connection. The same call of the same run is the same run.
     */
    run?: string | undefined;
    /**
     * It outlives its parent and has time of its own; a run goes on
     * without readers.
     */
    detach?: boolean | undefined;
    /**
     * How many bytes the agent may run ahead of the fastest reader
     * (1 MiB); 1: one message at a time.
     */
    window?: number | undefined;
};
export type Calling = CallWords & Common;
export type Collecting = {
    /**
     * What the one value is made of: all texts (or bytes) joined, a list
     * of all, or the last. Without it: several texts joined, others listed, one as it is, of none
     * null.
     */
    collect?: import("./content.js").Collect | undefined;
};
export type CallOptions = Calling & Collecting;
export type Laziness = {
    /**
     * The agent starts with the first reader.
     */
    lazy?: boolean | undefined;
};
export type StreamOptions = Calling & Laziness;
export type Sends = {
    /**
     * Resolve once it is in the agent's mailbox, or throw (the default);
     * false: at once, and what is lost is lost.
     */
    ack?: boolean | undefined;
    /**
     * To take note of, not to act on.
     */
    observe?: boolean | undefined;
    /**
     * How long it may wait in the mailbox.
     */
    timeoutMs?: number | undefined;
    /**
     * Stops waiting; the message may be there nevertheless.
     */
    signal?: AbortSignal | undefined;
    /**
     * As of a call.
     */
    parent?: import("./context.js").Context | null | undefined;
};
export type SendOptions = CallWords & Sends;
export type Publishes = {
    /**
     * Whom it concerns (`default`): it names the session of each agent that
     * the topic feeds.
     */
    source?: string | undefined;
    /**
     * Resolve once the sidecar has handed it out, or throw (the default);
     * false: at once, and what is lost is lost.
     */
    ack?: boolean | undefined;
    /**
     * How long it may wait for those who are slow.
     */
    timeoutMs?: number | undefined;
    /**
     * Stops waiting; it may be handed out nevertheless.
     */
    signal?: AbortSignal | undefined;
    /**
     * As of a call.
     */
    parent?: import("./context.js").Context | null | undefined;
};
export type PublishOptions = CallWords & Publishes;
export type SignalOptions = {
    /**
     * Of the payload, in place of the usual one.
     */
    contentType?: string | undefined;
    /**
     * The address of an agent registered by this client: who signals.
     */
    sender?: string | undefined;
    /**
     * Resolve once everyone concerned has it, or throw (the default); false:
     * at once, and what is lost is lost.
     */
    ack?: boolean | undefined;
    /**
     * How long that may take (30,000).
     */
    timeoutMs?: number | undefined;
    /**
     * Stops waiting; the signal may be there nevertheless.
     */
    signal?: AbortSignal | undefined;
    /**
     * As of a call.
     */
    parent?: import("./context.js").Context | null | undefined;
};
export type ConnectOptions = {
    /**
     * Shown in the sidecar's lists.
     */
    name?: string | undefined;
    /**
     * `COAGENT_TOKEN`, or what is in the file `COAGENT_TOKEN_FILE`, unless
     * given.
     */
    token?: string | undefined;
    /**
     * How long to keep trying at first (0). A connection that is lost later
     * is always made again.
     */
    waitMs?: number | undefined;
    /**
     * How often a call that no agent has seen is made again (3).
     */
    repeats?: number | undefined;
    /**
     * Gives up connecting, or, once connected, closes the client.
     */
    signal?: AbortSignal | undefined;
    /**
     * What happens on nobody's behalf: a
     * connection lost, a `closed` hook that failed. By default to `NODE_DEBUG=coagent`.
     */
    log?: ((message: string, error?: unknown) => void) | undefined;
};
