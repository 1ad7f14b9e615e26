package coagent

import (
	"context"
	"errors"
	"iter"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// Delegated is a call that an agent makes for its own reply: returned by a Func, yielded by a
// StreamFunc, or sent, it stands in that reply at its place, and its bytes do not come here. It
// works from the beginning, beside others.
//
// It may be read in place of that, as any Reply. Neither spliced nor read when its agent ends, it
// is cancelled.
type Delegated struct {
	Reply
	parent *hostedCall
}

// Delegate calls another agent for a part of this call's reply, or all of it. What is returned is
// the rest of the reply: the call goes on without this agent. What is yielded or sent stands at
// that place, before what comes then; an error of it is one at that place. Several may be at work
// at once.
//
// The context, and the options, are those of Start; what ends the context ends the call until it is
// spliced.
func (r *Request) Delegate(
	ctx context.Context, to string, body any, options ...CallOption,
) (*Delegated, error) {
	if r.call.hasEnded() || r.call.sending.hasEnded() {
		return nil, failure(Cancelled, "parent_ended", "the call this serves has ended").at(to)
	}
	call, err := r.call.client.begin(ctx, to, body, options, callKind{delegator: r.call})
	if err != nil {
		return nil, err
	}
	if !r.call.delegates(call) {
		call.leave(errLeft(to))
	}
	return &Delegated{Reply{call}, r.call}, nil
}

// delegates notes a call that is to be ended with this one, unless it is spliced; false if this one
// has ended meanwhile.
func (h *hostedCall) delegates(call *ownCall) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.delegated == nil {
		h.delegated = make(map[*ownCall]struct{})
	}
	h.delegated[call] = struct{}{}
	return !h.isEnded
}

// Unordered is what need not wait for its place in a reply; see OutOfOrder.
type Unordered struct{ value any }

// OutOfOrder is a message, or a Delegated, that an agent yields or sends and that goes before what
// is still held behind the calls spliced before it. A message goes in one piece, of the sidecar's
// `max_content` at most.
func OutOfOrder(value any) Unordered { return Unordered{value} }

// put sends whatever an agent answers with: a message, a delegated call, a reply to be copied. With
// isLast the reply ends with it.
func (s *Sender) put(ctx context.Context, body any, isLast bool) error {
	ctx, end := s.call.replying(ctx)
	defer end()
	switch body := body.(type) {
	case *Delegated:
		return s.splice(ctx, body, isLast, false)
	case *Exchange:
		return s.copy(ctx, body.Messages(), isLast)
	case *Reply:
		return s.copy(ctx, body.Messages(), isLast)
	case iter.Seq2[*Message, error]:
		return s.copy(ctx, body, isLast)
	case Unordered:
		if err := s.putUnordered(ctx, body.value); err != nil || !isLast {
			return err
		}
		return s.call.sending.end(ctx)
	}
	message, err := s.fitting(body)
	if err != nil {
		return err
	}
	return s.call.sending.send(ctx, &message, isLast)
}

func (s *Sender) putUnordered(ctx context.Context, value any) error {
	if delegated, ok := value.(*Delegated); ok {
		return s.splice(ctx, delegated, false, true)
	}
	message, err := s.fitting(value)
	if err != nil {
		return err
	}
	return s.call.sending.sendUnordered(ctx, &message)
}

// fitting is the message that carries a value, if it is what the agent may answer.
func (s *Sender) fitting(value any) (Message, error) {
	message, err := encodeChecked(value)
	if err == nil {
		err = s.check.fits(&message, Internal, "bad_reply")
	}
	return message, err
}

// splice has the replies of a delegated call stand here. Where it has failed already its error
// does; where somebody reads it, the rest of it is copied.
func (s *Sender) splice(ctx context.Context, d *Delegated, isLast, isUnordered bool) error {
	if d == nil || d.parent != s.call {
		return failure(InvalidArgument, "bad_splice", "the call was delegated by another")
	}
	if err := d.call.inputSent(ctx); err != nil {
		return err
	}
	err := s.call.sending.splice(ctx, isLast, func() error {
		return d.call.splice(s.call.id, isLast, isUnordered)
	})
	switch {
	case err == nil:
		s.call.mu.Lock()
		delete(s.call.delegated, d.call)
		s.call.mu.Unlock()
		return nil
	case err == errRead:
		return s.copy(ctx, d.Messages(), isLast)
	case errors.Is(err, errNotOpen):
		failed := d.call.receiving.failure()
		if failed == nil {
			failed = errEnded()
		}
		if isLast || errors.Is(failed, errSpliced) {
			return failed
		}
		return s.call.sending.sendError(ctx, asError(failed))
	}
	return err
}

// copy sends a reply that is read here, message by message. Its last error is one at its place,
// unless the reply ends with it.
func (s *Sender) copy(ctx context.Context, messages iter.Seq2[*Message, error], isLast bool) error {
	for message, err := range messages {
		switch {
		case err == nil:
			err = s.call.sending.send(ctx, message, false)
		case message != nil || !isLast:
			err = s.call.sending.sendError(ctx, asError(err))
		}
		if err != nil {
			return err
		}
	}
	if isLast {
		return s.call.sending.end(ctx)
	}
	return nil
}

// What came of splicing a call.
var (
	errRead    = errors.New("the call is read here")
	errNotOpen = errors.New("the call is not open")
	errSpliced = failure(FailedPrecondition, "call_spliced", "the call is spliced into a reply")
)

// inputSent waits until a first message that goes in parts has gone: a splice ends the input.
func (o *ownCall) inputSent(ctx context.Context) error {
	if o.request.first == nil {
		return nil
	}
	select {
	case <-o.opened:
		return nil
	case <-ctx.Done():
		return contextError(ctx, o.request.address)
	}
}

// splice writes that the replies of this call belong to those of another: here it has ended.
func (o *ownCall) splice(into int64, isLast, isUnordered bool) error {
	o.mu.Lock()
	switch {
	case o.isStarted:
		o.mu.Unlock()
		return errRead
	case o.id == 0:
		o.mu.Unlock()
		return errNotOpen
	}
	id, connection, stop := o.id, o.connection, o.stop
	o.id, o.connection, o.stop = 0, nil, nil
	err := connection.write(nil, func(out []byte) []byte {
		out = wire.AppendInteger(append(out, `{"op":"splice"`...), wire.ID, into)
		out = wire.AppendInteger(out, wire.Call, id)
		out = wire.AppendTrue(out, wire.End, isLast)
		return append(wire.AppendTrue(out, wire.Unordered, isUnordered), '}')
	})
	o.mu.Unlock()
	if stop != nil {
		stop()
	}
	connection.endID(id)
	o.receiving.end(errSpliced)
	return err
}

// leaveDelegated ends the delegated calls that nobody spliced, or reads to the end.
func (h *hostedCall) leaveDelegated() {
	h.mu.Lock()
	delegated := h.delegated
	h.delegated = nil
	h.mu.Unlock()
	for call := range delegated {
		call.leave(errLeft(call.request.address))
	}
}
