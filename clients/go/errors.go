package coagent

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Code is one of the fixed set of error codes.
type Code string

// The codes of errors, the same in every language.
const (
	InvalidArgument    Code = "invalid_argument"    // What was asked cannot be right.
	NotFound           Code = "not_found"           // What was named is not there.
	AlreadyExists      Code = "already_exists"      // What was to be made is there already.
	PermissionDenied   Code = "permission_denied"   // The asker is known and may not.
	Unauthenticated    Code = "unauthenticated"     // The asker did not prove who it is.
	ResourceExhausted  Code = "resource_exhausted"  // A limit is reached.
	FailedPrecondition Code = "failed_precondition" // Not in this state or order.
	Aborted            Code = "aborted"             // An agent gave up because of a conflict.
	Unimplemented      Code = "unimplemented"       // Not known: an operation, field or type.
	Internal           Code = "internal"            // The agent failed in its own code.
	Unavailable        Code = "unavailable"         // Nobody is there to do it now.
	DeadlineExceeded   Code = "deadline_exceeded"   // The time given ran out.
	Cancelled          Code = "cancelled"           // The caller, its loss or an operator ended it.
)

// Sentinels for errors.Is: any error of that code matches, whatever its reason.
var (
	ErrInvalidArgument    error = &Error{Code: InvalidArgument}
	ErrNotFound           error = &Error{Code: NotFound}
	ErrAlreadyExists      error = &Error{Code: AlreadyExists}
	ErrPermissionDenied   error = &Error{Code: PermissionDenied}
	ErrUnauthenticated    error = &Error{Code: Unauthenticated}
	ErrResourceExhausted  error = &Error{Code: ResourceExhausted}
	ErrFailedPrecondition error = &Error{Code: FailedPrecondition}
	ErrAborted            error = &Error{Code: Aborted}
	ErrUnimplemented      error = &Error{Code: Unimplemented}
	ErrInternal           error = &Error{Code: Internal}
	ErrUnavailable        error = &Error{Code: Unavailable}
	ErrDeadlineExceeded   error = &Error{Code: DeadlineExceeded}
	ErrCancelled          error = &Error{Code: Cancelled}
)

// ErrInterrupted is what a call ends with that an interrupt ended, and what an agent's own
// Interrupted matches.
var ErrInterrupted error = &Error{Code: Aborted, Reason: "interrupted"}

// Error is a call, a registration or a connection that failed. Returned by an agent, it reaches
// the caller with the same code, reason, message and details.
//
// A call that its own context ended also matches context.Canceled or context.DeadlineExceeded.
type Error struct {
	Code    Code
	Reason  string         // The finer word: one of proto/errors.json, or an agent's own.
	Message string         // For people.
	Details map[string]any // For programs: strings, booleans, and integers as int64.
	Retry   bool           // No agent has seen the call.
	Address string         // What was called, where that is known.

	cause error
}

// Errorf makes an error for an agent to return. A cause is given with %w, and travels as text.
func Errorf(code Code, reason, format string, values ...any) *Error {
	wrapped := fmt.Errorf(format, values...)
	return &Error{
		Code: code, Reason: reason, Message: wrapped.Error(), cause: errors.Unwrap(wrapped),
	}
}

// Error says code, reason, message and what was called.
func (e *Error) Error() string {
	var text strings.Builder
	text.WriteString(string(e.Code))
	if e.Reason != "" {
		text.WriteString("/" + e.Reason)
	}
	if e.Message != "" {
		text.WriteString(": " + e.Message)
	}
	if e.Address != "" {
		text.WriteString(" (calling " + e.Address + ")")
	}
	return text.String()
}

// Is tells whether target is an *Error of this code and, if it names one, this reason.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Code == e.Code && (other.Reason == "" || other.Reason == e.Reason)
}

// Unwrap is what caused it: an error of this process, or the causes that an agent's error had, each
// a *RemoteCause.
func (e *Error) Unwrap() error { return e.cause }

// RemoteCause is a cause of an agent's error, as text: the name of its type and its message.
type RemoteCause struct {
	Type    string
	Message string

	cause error
}

// Error is the text as it came.
func (c *RemoteCause) Error() string {
	if c.Message == "" {
		return c.Type
	}
	return c.Type + ": " + c.Message
}

// Unwrap is the cause of this one.
func (c *RemoteCause) Unwrap() error { return c.cause }

func failure(code Code, reason, format string, values ...any) *Error {
	return &Error{Code: code, Reason: reason, Message: fmt.Sprintf(format, values...)}
}

// at is the error with the address that was called.
func (e *Error) at(address string) *Error {
	if e.Address == address {
		return e
	}
	copied := *e
	copied.Address = address
	return &copied
}

// contextError is the error of a call that its own context ended.
func contextError(ctx context.Context, address string) *Error {
	err := failure(Cancelled, "cancelled", "the caller left the call")
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = failure(DeadlineExceeded, "deadline", "no answer in time")
	}
	err.Address = address
	err.cause = ctx.Err()
	if cause := context.Cause(ctx); cause != nil && cause != err.cause {
		err.cause = &contextCause{ctx.Err(), cause}
		var interrupted *Interrupted
		if err.Code == Cancelled && errors.As(cause, &interrupted) {
			err.Reason = "interrupted"
		}
	}
	return err
}

// contextCause is both how a context ended and why.
type contextCause struct {
	err   error
	cause error
}

func (c *contextCause) Error() string   { return c.err.Error() + ": " + c.cause.Error() }
func (c *contextCause) Unwrap() []error { return []error{c.err, c.cause} }
