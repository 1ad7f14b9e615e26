/** The coagent client for Node: register agents, and call agents written in any language. */

/** @typedef {import('./agents.js').AgentClass} AgentClass */
/** @typedef {import('./agents.js').AgentFunction} AgentFunction */
/** @typedef {import('./agents.js').OperationOptions} OperationOptions */
/** @typedef {import('./agents.js').Operations} Operations */
/** @typedef {import('./agents.js').Receives} Receives */
/** @typedef {import('./content.js').Collect} Collect */
/** @typedef {import('./content.js').MessageOptions} MessageOptions */
/** @typedef {import('./discovery.js').AgentCard} AgentCard */
/** @typedef {import('./discovery.js').Change} Change */
/** @typedef {import('./discovery.js').OperationCard} OperationCard */
/** @typedef {import('./discovery.js').WatchOptions} WatchOptions */
/** @typedef {import('./errors.js').Code} Code */
/** @typedef {import('./errors.js').Detail} Detail */
/** @typedef {import('./errors.js').ErrorOptions} ErrorOptions */
/** @typedef {import('./header.js').Query} Query */
/** @typedef {import('./local.js').LocalOptions} LocalOptions */
/** @typedef {import('./options.js').CallOptions} CallOptions */
/** @typedef {import('./options.js').ConnectOptions} ConnectOptions */
/** @typedef {import('./options.js').SendOptions} SendOptions */
/** @typedef {import('./options.js').StreamOptions} StreamOptions */
/** @typedef {import('./options.js').SignalOptions} SignalOptions */
/** @typedef {import('./registration.js').RegisterOptions} RegisterOptions */
/** @typedef {import('./runs.js').Attachment} Attachment */
/** @typedef {import('./runs.js').Run} Run */
/** @typedef {import('./schema.js').Schema} Schema */
/** @typedef {import('./schema.js').Validate} Validate */
/** @typedef {import('./signalling.js').Target} Target */

export { Client } from './client.js';
export { connect } from './connect.js';
export { Message, Part } from './content.js';
export { Context, currentContext } from './context.js';
export { Delegated, outOfOrder } from './delegating.js';
export { Watch } from './discovery.js';
export {
  AbortedError,
  AgentError,
  AlreadyExistsError,
  CancelledCallError,
  DeadlineExceededError,
  ErrorCode,
  FailedPreconditionError,
  InternalError,
  Interrupted,
  InvalidArgumentError,
  NotFoundError,
  PermissionDeniedError,
  RemoteCause,
  ResourceExhaustedError,
  UnauthenticatedError,
  UnavailableError,
  UnimplementedError,
} from './errors.js';
export { local, LocalClient } from './local.js';
export { Registration } from './registration.js';
export { Exchange, Reply } from './reply.js';
export { Signal } from './signals.js';
export { Subscription, TopicMessage } from './topics.js';
export { VERSION } from './version.js';
