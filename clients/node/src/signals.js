/** Signals that come for agents here: whom each concerns, and what takes it. */

import { nameOf } from './address.js';
import { decode } from './content.js';
import { inContext } from './context.js';
import { FailedPreconditionError, Interrupted, UnimplementedError } from './errors.js';

/** @typedef {import('./connection.js').Connection} Connection */
/** @typedef {import('./context.js').Context} Context */
/** @typedef {import('./header.js').Header} Header */
/** @typedef {import('./hosted-call.js').HostedCall} HostedCall */
/** @typedef {import('./hosting.js').Hosting} Hosting */
/** @typedef {import('./hosting.js').Session} Session */
/** @typedef {import('./registration.js').Registration} Registration */

/** A signal as a hook sees it. */
export class Signal {
  /**
   * @param {Header} header
   * @param {any} payload
   */
  constructor(header, payload) {
    this.name = header.name;
    /** What came along; undefined: nothing. */
    this.payload = payload;
    /** Of that, or "". */
    this.contentType = header.contentType;
    /** The address of the agent that sent it, or "". */
    this.sender = header.from;
    /** Whom it concerns: an agent, one of its sessions, or what the call was made to. */
    this.address = header.to;
    /** @type {Context | undefined} Of the call that it concerns, if it is one. */
    this.context = undefined;
  }
}

/**
 * A signal arrived. An interrupt is answered at once, anything else when its hook is done, whatever
 * runs meanwhile.
 *
 * @param {Hosting} hosting
 * @param {Connection} connection
 * @param {number} id
 * @param {Header} header
 * @param {Buffer} bytes
 * @param {number} start
 * @param {number} end
 */
export function signalled(hosting, connection, id, header, bytes, start, end) {
  const ok = `{"op":"ok","id":${id}}`;
  try {
    const isEmpty = start === end && header.contentType === '';
    const payload = isEmpty ? undefined : decode(bytes, start, end, header.contentType);
    const signal = new Signal(header, payload);
    if (signal.name === 'interrupt') {
      const call = handledCall(connection, header);
      connection.write(ok);
      call?.interrupt(new Interrupted(payload, signal.contentType, signal.sender));
      return;
    }
    take(hosting, connection, header, signal).then(
      () => connection.write(ok),
      (error) => connection.writeError(id, error),
    );
  } catch (error) {
    connection.writeError(id, error);
  }
}

/**
 * @param {Hosting} hosting
 * @param {Connection} connection
 * @param {Header} header
 * @param {Signal} signal
 */
async function take(hosting, connection, header, signal) {
  if (header.call === 0) {
    await toAgent(hosting, signal);
    return;
  }
  const call = handledCall(connection, header);
  if (call !== undefined) await toCall(call, signal); // Else it has ended meanwhile.
}

/**
 * @param {Connection} connection
 * @param {Header} header
 */
function handledCall(connection, { call }) {
  if (call === 0) return undefined;
  return /** @type {HostedCall | undefined} */ (connection.endpoint(call));
}

/**
 * What an agent has for signals: its instance's method, or what it was registered with.
 *
 * @param {Registration} registration
 * @param {Session | undefined} session
 * @param {'onInterrupt' | 'onSignal'} name
 * @returns {((...given: any[]) => unknown) | undefined}
 */
export function hookOf(registration, session, name) {
  const instance = session?.instance;
  const method = instance?.[name];
  return typeof method === 'function' ? method.bind(instance) : registration[name];
}

/**
 * @param {HostedCall} call
 * @param {Signal} signal
 */
async function toCall({ registration, session, context }, signal) {
  signal.address = context.address;
  signal.context = context;
  if (typeof session?.instance?.then === 'function') await session.instance;
  const hook = hookOf(registration, session, 'onSignal');
  if (hook === undefined) throw unhandled(signal);
  await inContext(context, () => hook(signal.name, signal.payload, signal));
}

/**
 * To one session here, or to an agent with all it has.
 *
 * @param {Hosting} hosting
 * @param {Signal} signal
 */
async function toAgent(hosting, signal) {
  const { address } = signal;
  const name = nameOf(address);
  const registration = hosting.registration(name);
  const sessions = registration === undefined ? [] : hosting.sessionsOf(registration);
  const session = sessions.find((each) => each.address === address);
  const hasInstance = registration?.spec.cls === undefined || session !== undefined;
  if (registration === undefined || (name !== address && !hasInstance)) {
    throw new FailedPreconditionError(`${address} is not here`, { reason: 'not_running' });
  }
  if (typeof session?.instance?.then === 'function') await session.instance;
  let hooks = [hookOf(registration, session, 'onSignal')];
  if (hooks[0] === undefined && name === address) {
    hooks = sessions.map((each) => hookOf(registration, each, 'onSignal'));
  }
  const taking = hooks.flatMap((each) => (each === undefined ? [] : [each]));
  if (taking.length === 0) throw unhandled(signal);
  await inContext(undefined, () =>
    Promise.all(taking.map(async (hook) => hook(signal.name, signal.payload, signal))),
  );
}

/** @param {Signal} signal */
function unhandled({ name, address }) {
  return new UnimplementedError(`${address} takes no signal ${name}`, {
    reason: 'unhandled_signal',
    details: { name },
  });
}
