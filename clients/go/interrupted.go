package coagent

import (
	"context"
	"errors"
)

// Interrupted is the cause of the context of a call that was interrupted. It matches
// ErrInterrupted.
//
// The call is not over: until its function returns, the Sender works, and Request.Uninterrupted is
// a context for new calls. A function that returns it, or the context's error, ends the call with
// `aborted`/`interrupted`.
type Interrupted struct{ Signal }

func (i *Interrupted) Error() string { return "the call was interrupted" }

// Unwrap is ErrInterrupted.
func (i *Interrupted) Unwrap() error { return ErrInterrupted }

// SessionInterrupter is what a session's instance may be: OnInterrupt is called, beside the call
// that runs, in place of ending its context. See OnInterrupt.
type SessionInterrupter interface {
	OnInterrupt(ctx context.Context, interrupted *Interrupted) error
}

// OnInterrupt has a function take the interrupts of an agent's calls. The call is not disturbed: it
// goes on, unless the function fails; then it ends with that error. FromContext finds the request.
func OnInterrupt(take func(ctx context.Context, interrupted *Interrupted) error) RegisterOption {
	return registerOption(func(o *registerOptions) { o.hooks.interrupt = take })
}

// OnInterrupt is the option of that name for this call alone.
func (r *Request) OnInterrupt(take func(ctx context.Context, interrupted *Interrupted) error) {
	r.call.mu.Lock()
	defer r.call.mu.Unlock()
	r.call.own.interrupt = take
}

// Interrupted is the newest interrupt of this call, or nil.
func (r *Request) Interrupted() *Interrupted {
	r.call.mu.Lock()
	defer r.call.mu.Unlock()
	return r.call.interrupted
}

// Uninterrupted is a context that only the end of the call ends: for what an interrupted agent does
// to finish. Calls made with it are children of this one.
func (r *Request) Uninterrupted() context.Context { return &r.call.lasting }

// interrupt gives an interrupt to the hook for it, or ends the function's context, once.
func (h *hostedCall) interrupt(interrupted *Interrupted) {
	h.mu.Lock()
	h.interrupted = interrupted
	take := h.own.interrupt
	isForInstance := take == nil && h.session != nil && h.registration.agent.takesInterrupts
	if take == nil {
		take = h.registration.hooks.interrupt
	}
	if isForInstance || take != nil {
		h.mu.Unlock()
		h.hooks.add(h.client.hosting, func() { h.runInterruptHook(interrupted, isForInstance, take) })
		return
	}
	h.isDisturbed = true
	h.mu.Unlock()
	h.ctx.end(context.Canceled, interrupted)
}

// runInterruptHook has a hook take an interrupt; where it fails, the call does.
func (h *hostedCall) runInterruptHook(
	interrupted *Interrupted, isForInstance bool,
	take func(context.Context, *Interrupted) error,
) {
	if isForInstance {
		if interrupter, ok := h.session.current().(SessionInterrupter); ok {
			take = interrupter.OnInterrupt
		}
	}
	if take == nil || h.hasEnded() {
		return
	}
	if err := guarded(func() error { return take(&h.lasting, interrupted) }); err != nil {
		h.fail(err)
	}
}

// fail ends the call with the error of a hook, once its function has returned.
func (h *hostedCall) fail(err error) {
	h.mu.Lock()
	isFirst := h.failed == nil && !h.isEnded
	if isFirst {
		h.failed = err
	}
	h.mu.Unlock()
	if isFirst {
		h.sending.close(err)
		h.input.end(err)
		h.endContexts(context.Canceled, err)
	}
}

// isInterruption tells whether an error is of the interrupt that ended the context of its call, and
// not one that the agent chose.
func isInterruption(err error) bool {
	var known *Error
	if errors.As(err, &known) && known.Code != Cancelled && error(known) != ErrInterrupted {
		return false
	}
	var interrupted *Interrupted
	return errors.As(err, &interrupted) || errors.Is(err, context.Canceled)
}

func errInterrupted() *Error {
	return failure(Aborted, "interrupted", "the call was interrupted")
}

// endsWith tells whether the context is one of the call's own, or ends at the same moment.
func (h *hostedCall) endsWith(ctx context.Context) bool {
	done := ctx.Done()
	return done == h.ctx.Done() || done == h.lasting.Done()
}

// replying is ctx as it counts for what the agent sends: an interrupt of the call does not end it.
func (h *hostedCall) replying(ctx context.Context) (context.Context, context.CancelFunc) {
	if own, ok := ctx.(*callContext); ok && own.call == h {
		return &h.lasting, func() {}
	}
	if request, ok := FromContext(ctx); !ok || request.call != h {
		return ctx, func() {}
	}
	replying, cancel := context.WithCancelCause(&h.lasting)
	unlink := context.AfterFunc(ctx, func() {
		var interrupted *Interrupted
		if cause := context.Cause(ctx); !errors.As(cause, &interrupted) {
			cancel(cause)
		}
	})
	end := func() { unlink(); cancel(nil) }
	// What an interrupt has ended tells no more of its own time.
	if deadline, ok := ctx.Deadline(); ok && !deadline.Equal(h.lasting.deadline) {
		timed, stop := context.WithDeadline(replying, deadline)
		return timed, func() { stop(); end() }
	}
	return replying, end
}
