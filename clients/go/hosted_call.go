package coagent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// hostedCall is a call that is handled here: it runs on a goroutine of its own and ends with
// exactly one terminal frame.
type hostedCall struct {
	client       *Client
	connection   *connection
	registration *Registration
	session      *session // Nil where the agent has no instances.
	id           int64
	ctx          callContext // What the agent's function gets: an interrupt ends it too.
	lasting      callContext // What only the end of the call ends.
	request      Request
	sender       Sender
	sending      sending
	input        receiving

	hooks hookTurns

	mu          sync.Mutex   // Guards what follows.
	isEnded     bool         // The terminal frame is written, or nobody is there to read it.
	stopped     error        // Why nobody waits any more.
	interrupted *Interrupted // The newest.
	isDisturbed bool         // An interrupt has ended ctx.
	failed      error        // What a hook for interrupts failed with: the call's end.
	own         signalHooks  // Those of this call alone.
	delegated   map[*ownCall]struct{}
}

func newHostedCall(
	c *connection, registration *Registration, id int64, header *wire.Header, content []byte,
) *hostedCall {
	h := &hostedCall{client: c.client, connection: c, registration: registration, id: id}
	h.request = Request{
		call:          h,
		address:       header.Text(wire.To),
		sender:        header.Text(wire.From),
		kind:          header.Text(wire.Type),
		trace:         header.Text(wire.Trace),
		ext:           header.Object(wire.Ext),
		isNew:         header.Is(wire.New),
		isSend:        header.Is(wire.Oneway),
		isObservation: header.Is(wire.Observe),
		topic:         header.Text(wire.Topic),
		source:        header.Text(wire.Source),
	}
	h.sender.call = h
	h.sending.connection, h.sending.id, h.sending.window = c, id, wire.WindowDefault
	if header.Has(wire.Window) {
		h.sending.window = header.Integer(wire.Window)
	}
	h.input.init(wire.WindowDefault, h.grant)
	contentType := header.Text(wire.ContentType)
	hasInput := header.Is(wire.Input)
	if len(content) > 0 || (!hasInput && (contentType != "" || h.request.kind != "")) {
		if contentType == "" {
			contentType = JSON
		}
		h.request.hasMessage = true
		h.input.put(Message{content, contentType, h.request.kind, h.request.ext, nil})
	}
	if !hasInput {
		h.input.end(nil)
	}
	deadline := deadlineAfter(header.Integer(wire.TimeoutMS))
	h.ctx.call, h.ctx.deadline = h, deadline
	h.lasting.call, h.lasting.deadline = h, deadline
	return h
}

// Frames

func (h *hostedCall) onData(header *wire.Header, content []byte) { h.input.frame(header, content) }
func (h *hostedCall) onCredit(bytes int64)                       { h.sending.credit(bytes) }
func (h *hostedCall) onOK()                                      {}
func (h *hostedCall) onError(header *wire.Header)                { h.stop(errorFrom(header, "")) }

func (h *hostedCall) onCancel(reason string) {
	if reason == "deadline" {
		h.late()
		return
	}
	err := failure(Cancelled, "cancelled", "the call was cancelled")
	if reason != "" {
		err.Reason = reason
	}
	h.stop(err)
}

func (h *hostedCall) late() {
	h.stop(failure(DeadlineExceeded, "deadline", "the call's time ran out"))
}

// expire ends the call if the sidecar did not keep its deadline, a second late. It tells whether
// the call has one.
func (h *hostedCall) expire(now time.Time) bool {
	deadline, ok := h.ctx.Deadline()
	if ok && now.Sub(deadline) > lateness {
		h.late()
	}
	return ok
}

func (h *hostedCall) onLost(err *Error) {
	h.mu.Lock()
	h.isEnded = true
	h.mu.Unlock()
	h.stop(err)
}

// stop tells the agent that nobody waits any more.
func (h *hostedCall) stop(reason *Error) {
	kind := context.Canceled
	if reason.Code == DeadlineExceeded {
		kind = context.DeadlineExceeded
	}
	err := *reason // Others have the same, where a connection is lost.
	err.cause = kind
	if reason.cause != nil {
		err.cause = &contextCause{kind, reason.cause}
	}
	h.mu.Lock()
	h.stopped = &err
	h.mu.Unlock()
	h.sending.close(&err)
	h.input.end(&err)
	h.endContexts(kind, &err)
}

func (h *hostedCall) endContexts(err, cause error) {
	h.ctx.end(err, cause)
	h.lasting.end(err, cause)
}

func (h *hostedCall) grant(bytes int64, _ int) {
	if !h.hasEnded() {
		h.connection.writeCredit(h.id, bytes)
	}
}

func (h *hostedCall) hasEnded() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.isEnded
}

// Running

func (h *hostedCall) run() {
	err := guarded(h.handle)
	if panicked := (*panicError)(nil); errors.As(err, &panicked) {
		h.client.options.logger.Error("coagent: an agent panicked", "agent", h.request.address,
			"panic", panicked.value, "stack", string(panicked.stack))
	} else if err != nil {
		h.client.options.logger.LogAttrs(&h.ctx, slog.LevelDebug, "coagent: an agent failed",
			slog.String("agent", h.request.address), slog.Any("error", err))
	}
	h.end(err)
	h.leaveDelegated()
	h.endContexts(context.Canceled, errEnded())
}

// handle runs the agent's function, in the session that the call belongs to.
func (h *hostedCall) handle() error {
	agent := h.registration.agent
	if h.session != nil {
		defer h.client.hosting.left(h.session, h.request.address)
	}
	operation, err := agent.operation(h)
	if err != nil {
		return err
	}
	var instance any
	if h.session != nil {
		if instance, err = h.session.activated(&h.ctx); err != nil {
			return err
		}
	}
	if operation.checkInput != nil {
		if err := h.checkFirst(operation.checkInput); err != nil {
			return err
		}
	}
	h.sender.check = operation.checkOutput
	if err := operation.run(&h.ctx, instance, &h.request, &h.sender); err != nil {
		return err
	}
	err = h.sending.end(&h.lasting)
	if errors.Is(err, errInputEnded()) {
		err = nil // The last message was sent as such.
	}
	return err
}

// checkFirst checks the first message before the agent runs, or has it checked as it comes.
func (h *hostedCall) checkFirst(check Validate) error {
	if first := h.input.peek(); first != nil {
		return check.fits(first, InvalidArgument, "bad_content")
	}
	h.request.check.Store(&check)
	return nil
}

// end writes the one terminal frame, if the last message was not.
func (h *hostedCall) end(err error) {
	h.mu.Lock()
	// What came when the last message was on its way does not make it end twice.
	hadEnded := h.isEnded || h.sending.hasEnded()
	h.isEnded = true
	over := h.stopped
	switch {
	case over != nil && err == nil:
		err = context.Canceled
	case over != nil:
	case h.failed != nil:
		err = h.failed
	case h.isDisturbed && isInterruption(err):
		err = errInterrupted()
	}
	h.mu.Unlock()
	failed := endedError(over != nil, err)
	if over == nil {
		over = errEnded()
	}
	h.sending.close(over)
	h.input.end(over)
	h.connection.endID(h.id)
	if failed != nil && !hadEnded {
		h.connection.writeError(h.id, failed)
	}
}

// panicError is what an agent's function panicked with.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// guarded runs user code and returns a panic as an error.
func guarded(run func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &panicError{value, debug.Stack()}
		}
	}()
	return run()
}
