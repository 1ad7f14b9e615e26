/**
 * The caller's side of a call.
 *
 * A call that fails with `retry:true` (no agent saw it) is made again within its time, a few times;
 * nothing else is ever repeated.
 */

import { onAbort } from './abort-signals.js';
import { connectionLost, late, left, parentLost, spliced } from './call-errors.js';
import { CancelledCallError, FailedPreconditionError } from './errors.js';
import { WINDOW_DEFAULT } from './header.js';
import { Repeats, TIMER_MS_MAX } from './repeating.js';
import { RunReading } from './runs.js';
import { Sending, windowBehind } from './sending.js';

/** @typedef {import('./collecting.js').Collecting} Collecting */
/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./errors.js').AgentError} AgentError */
/** @typedef {import('./header.js').Header} Header */
/** @typedef {import('./receiving.js').Receiving} Receiving */
/** @typedef {import('./requests.js').Request} Request */
/** @typedef {import('./verbs.js').Verbs} Verbs */

/** How late the sidecar may be with its own word on a deadline. */
const DEADLINE_GRACE_MS = 1000;

/** An open call of ours: an endpoint of the connection, and the source of what it answers. */
export class OwnCall {
  /** @type {Repeats | undefined} */
  #repeats;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  /** @type {(() => void) | undefined} */
  #release;
  /** @type {Array<() => void>} */
  #writtenWaiters = [];
  /** Its replies went elsewhere. */
  isSpliced = false;
  #isSendingFirst = false;

  /**
   * @param {Verbs} client
   * @param {Request} request
   */
  constructor(client, request) {
    this.client = client;
    this.request = request;
    /** Replies were asked for. */
    this.isStarted = !request.isHeld;
    /** @type {Connection | undefined} */
    this.connection = undefined;
    this.id = 0;
    /** @type {Sending | undefined} */
    this.sending = undefined;
    /** @type {Promise<void> | undefined} Of a first message that goes in parts. */
    this.firstSent = undefined;
    /** How far it has read its run, if it is one. */
    this.run = request.run === undefined ? undefined : new RunReading(request.run);
    /** @type {Receiving | Collecting} What takes the reply; set before `launch`. */
    this.sink = /** @type {any} */ (undefined);
  }

  /**
   * Begins; a signal cancels it until it ends.
   *
   * @param {AbortSignal | undefined} signal
   */
  launch(signal) {
    if (signal !== undefined) {
      this.#release = this.cancelOn(signal);
      if (this.sink.isEnded) return;
    }
    this.request.parent?.adopt(this);
    this.restart();
  }

  /** Writes the call, or waits for a connection to write it to. */
  #start() {
    const { client, request, run } = this;
    const { connection } = client;
    if (
      connection === undefined ||
      !connection.isOpen ||
      (connection.isDraining && request.parent === undefined)
    ) {
      this.#wait();
      return;
    }
    const { rest, content } = run?.isResumed ? run.attaching(request, this.sink) : request;
    let header = rest;
    if (request.deadline !== 0) {
      const leftMs = Math.round(request.deadline - performance.now());
      if (leftMs <= 0) {
        this.#late();
        return;
      }
      header += `,"timeout_ms":${leftMs}`;
    }
    if (request.parent !== undefined) {
      if (request.parent.connection !== connection) {
        this.leave(parentLost());
        return;
      }
      header += `,"parent":${request.parent.id}`;
    }
    this.connection = connection;
    this.id = connection.openId(this, 'call', `${header}}`, content);
    if (request.isOpen || request.first !== undefined) this.#sendInput(connection);
    if (request.isHeld && this.isStarted) this.grant(request.window);
    if (request.deadline !== 0) client.watchDeadlines();
  }

  /**
   * Ends the call here and all below it. Once it has ended, nothing happens.
   *
   * @param {unknown} [cause] Why.
   */
  cancel(cause) {
    if (this.sink.isEnded) return;
    this.leave(left(this.request.address, cause));
  }

  /**
   * Ends the call here with this error, and below.
   *
   * @param {AgentError} error
   */
  leave(error) {
    if (this.sink.isEnded) return;
    const { id, connection } = this;
    this.#end(error);
    if (id !== 0 && connection !== undefined && connection.error === undefined) {
      connection.write(`{"op":"cancel","id":${id}}`);
    }
  }

  /**
   * Lets a signal cancel the call; what it returns undoes that.
   *
   * @param {AbortSignal | undefined} signal
   * @returns {(() => void) | undefined}
   */
  cancelOn(signal) {
    if (signal === undefined) return undefined;
    const listener = () => this.cancel(signal.reason);
    if (signal.aborted) {
      listener();
      return undefined;
    }
    return onAbort(signal, listener);
  }

  /** A lazy call starts with its first reader. */
  begin() {
    if (this.isStarted) return;
    this.isStarted = true;
    if (this.id !== 0) this.grant(this.request.window);
  }

  /**
   * Calls back once input can be sent, or never will.
   *
   * @param {() => void} waiter
   */
  whenWritten(waiter) {
    this.#writtenWaiters.push(waiter);
  }

  /** Its replies are spliced: here its id has ended, which is given once more. */
  handOver() {
    const { id } = this;
    const error = spliced(this.request.address);
    this.isSpliced = true;
    this.#forget(error);
    this.sink.end(error);
    return id;
  }

  /** The call that it was made for is answered: what was neither spliced nor read is for nobody. */
  parentAnswered() {
    if (this.request.isDelegated && !this.isStarted) this.cancel();
  }

  // What the sink asks for

  /** @param {number} bytes */
  grant(bytes) {
    const { connection, id } = this;
    if (id !== 0 && connection !== undefined && connection.error === undefined) {
      connection.write(`{"op":"credit","id":${id},"bytes":${bytes}}`);
    }
  }

  /** The last reader left. */
  abandoned() {
    this.cancel();
  }

  // Frames

  /**
   * @param {Header} header
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   */
  onData(header, bytes, start, end) {
    this.run?.count();
    if (header.end) this.#forget();
    this.sink.frame(header, bytes, start, end);
  }

  /** @param {number} bytes */
  onCredit(bytes) {
    this.sending?.credit(bytes);
  }

  onOk() {}

  /**
   * @param {AgentError} error
   * @param {boolean} isMore
   */
  onError(error, isMore) {
    error.address = this.request.address;
    if (isMore) {
      this.run?.count();
      this.sink.failedAt(error);
      return;
    }
    if (this.#mayRepeat() && this.#repeat(error)) return;
    this.#end(this.run?.isResumed && error.reason === 'unknown_run' ? this.#lost(error) : error);
  }

  /** @param {string} _reason */
  onCancel(_reason) {
    this.onError(
      new CancelledCallError('the sidecar ended the call', { reason: 'cancelled' }),
      false,
    );
  }

  /** @param {AgentError} error */
  onLost(error) {
    const { request, run } = this;
    const resumed = run?.resumed(request, this.#isSendingFirst);
    if (resumed === undefined || this.client.endError !== undefined) {
      this.#end(this.#lost(error));
      return;
    }
    request.parent?.disown(this);
    this.sending?.close(this.#lost(error));
    this.request = resumed;
    this.#detach();
    this.restart();
  }

  /** @param {AgentError} error */
  #lost(error) {
    return connectionLost(this.request.address, error);
  }

  // Time

  /**
   * The sidecar did not keep the deadline: the call ends here, a second late.
   *
   * @param {number} now
   */
  expire(now) {
    if (this.request.deadline !== 0 && now > this.request.deadline + DEADLINE_GRACE_MS) {
      this.#late();
    }
  }

  /** Made for the first time, or again, or now that there is a connection. */
  restart() {
    if (this.#timer !== undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    if (this.sink.isEnded) return;
    try {
      this.#start();
    } catch (error) {
      this.leave(/** @type {AgentError} */ (error));
    }
  }

  #wait() {
    const client = this.client;
    if (client.endError !== undefined) {
      this.leave(client.endError);
      return;
    }
    client.waiting.add(this);
    const { deadline } = this.request;
    const leftMs = deadline - performance.now();
    if (deadline !== 0 && leftMs <= TIMER_MS_MAX) {
      this.#timer = setTimeout(() => this.#late(), Math.max(1, leftMs));
    }
  }

  #late() {
    this.leave(late(this.request.address));
  }

  #mayRepeat() {
    // With input of its own, messages may have gone that cannot be sent again.
    const { isOpen, first } = this.request;
    const isFirst = this.sink.isEmpty || this.run?.isResumed === true;
    return isFirst && !isOpen && first === undefined;
  }

  /** @param {AgentError} error */
  #repeat(error) {
    this.#repeats ??= new Repeats(this.client);
    const delayMs = this.#repeats.delayMs(error);
    if (delayMs === undefined) return false;
    const { deadline } = this.request;
    if (deadline !== 0 && performance.now() + delayMs >= deadline) return false;
    this.#detach();
    this.#timer = setTimeout(() => this.restart(), delayMs);
    return true;
  }

  // Ending

  /** @param {AgentError} error */
  #end(error) {
    this.#forget(error);
    this.sink.end(error);
  }

  /**
   * The call has ended.
   *
   * @param {AgentError} [error]
   */
  #forget(error) {
    if (this.#timer !== undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    this.#detach();
    if (this.#release !== undefined) {
      this.#release();
      this.#release = undefined;
    }
    this.client.waiting.delete(this);
    this.request.parent?.disown(this);
    this.sending?.close(
      error ?? new FailedPreconditionError('the call has ended', { reason: 'call_ended' }),
    );
    if (this.#writtenWaiters.length > 0) queueMicrotask(() => this.#wakeWriters());
  }

  /** Its id has ended. */
  #detach() {
    this.connection?.open.delete(this.id);
    this.connection = undefined;
    this.id = 0;
  }

  /** @param {Connection} connection */
  #sendInput(connection) {
    const { request } = this;
    const sending = new Sending(connection, this.id, windowBehind(WINDOW_DEFAULT, request.content));
    this.sending = sending;
    if (request.first !== undefined) {
      // What goes wrong with it is said by the reply.
      const isEnd = !request.isOpen;
      this.#isSendingFirst = true;
      this.firstSent = sending.send(request.first, { isEnd }).then(
        () => {
          this.#isSendingFirst = false;
        },
        () => {},
      );
    }
    this.#wakeWriters();
  }

  #wakeWriters() {
    const waiters = this.#writtenWaiters;
    this.#writtenWaiters = [];
    for (const waiter of waiters) waiter();
  }
}
