export { Watch } from "./discovery.js";
export { local } from "./local.js";
export { Registration } from "./registration.js";
export { VERSION } from "./version.js";
export { connect, Client } from "./client.js";
export { Message, Part } from "./content.js";
export { Context, currentContext } from "./context.js";
export { AbortedError, AgentError, AlreadyExistsError, CancelledCallError, DeadlineExceededError, ErrorCode, FailedPreconditionError, InternalError, InvalidArgumentError, NotFoundError, PermissionDeniedError, RemoteCause, ResourceExhaustedError, UnauthenticatedError, UnavailableError, UnimplementedError } from "./errors.js";
export { Exchange, Reply } from "./reply.js";
