/** The coagent client for Node: register agents, and call agents written in any language. */

export { connect, Client } from './client.js';
export { Message, Part } from './content.js';
export { Context, currentContext } from './context.js';
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
  InvalidArgumentError,
  NotFoundError,
  PermissionDeniedError,
  RemoteCause,
  ResourceExhaustedError,
  UnauthenticatedError,
  UnavailableError,
  UnimplementedError,
} from './errors.js';
export { local } from './local.js';
export { Registration } from './registration.js';
export { Exchange, Reply } from './reply.js';
export { VERSION } from './version.js';
