package coagent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// ownSend is a message that nobody answers, sent or published, ready to be written.
type ownSend struct {
	client  *Client
	op      string
	to      string
	header  []byte
	content []byte
	parent  *hostedCall
	target  *signalTarget // Of a signal.
}

// deliver writes it, as a child of the call that is handled, if that is one of the client's. Unless
// it is forgotten then, deliver waits for the answer, and writes it again if nobody saw it.
func (s *ownSend) deliver(ctx context.Context, handled *hostedCall, isAcked bool) error {
	if handled != nil && handled.client == s.client && !handled.hasEnded() {
		s.parent = handled
	}
	if !isAcked {
		return s.forgotten(ctx)
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, CallTimeout)
		defer cancel()
	}
	for repetition := (repetition{}); ; {
		err := s.acknowledged(ctx)
		var known *Error
		if !errors.As(err, &known) || (s.target != nil && !known.Retry) {
			return err
		}
		delay, repeats := repetition.after(s.client, known)
		if !repeats {
			return err
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return err
		}
	}
}

// ready waits for the connection to send it on, and gives the id of a call that is signalled.
func (s *ownSend) ready(ctx context.Context) (connection *connection, call int64, err error) {
	if s.target != nil {
		connection, call, err = s.target.ready(ctx, s)
	} else {
		connection, err = s.connected(ctx)
	}
	if err == nil {
		err = connection.waitSpace(ctx)
	}
	if err != nil && ctx.Err() != nil {
		err = contextError(ctx, s.to)
	}
	return connection, call, err
}

func (s *ownSend) connected(ctx context.Context) (*connection, error) {
	if s.parent != nil {
		if s.parent.connection.ended() != nil {
			return nil, errParentLost().at(s.to)
		}
		return s.parent.connection, nil
	}
	return s.client.connected(ctx)
}

func (s *ownSend) rest(out []byte, call int64) []byte {
	out = append(out, s.header...)
	if s.target != nil && s.target.call != nil {
		out = wire.AppendInteger(out, wire.Call, call)
	}
	if s.parent != nil {
		out = wire.AppendInteger(out, wire.Parent, s.parent.id)
	}
	return out
}

// forgotten writes it without an id: nothing is heard of it.
func (s *ownSend) forgotten(ctx context.Context) error {
	connection, call, err := s.ready(ctx)
	if err != nil {
		return err
	}
	return connection.write(s.content, func(out []byte) []byte {
		return append(s.rest(append(append(append(out, `{"op":"`...), s.op...), '"'), call), '}')
	})
}

// acknowledged writes it and waits for the answer.
func (s *ownSend) acknowledged(ctx context.Context) error {
	connection, call, err := s.ready(ctx)
	if err != nil {
		return err
	}
	ack := &acknowledgement{connection: connection, to: s.to, answer: make(chan error, 1)}
	if err := ack.open(s, call); err == errGone && call == 0 {
		return s.acknowledged(ctx) // It was not written: the next connection takes it.
	} else if err == errGone {
		return errNotRunning().at(s.to)
	} else if err != nil {
		return err
	}
	select {
	case err := <-ack.answer:
		return err
	case <-ctx.Done():
		// The answer will come, and end the id; it is what was sent that cannot be taken back.
		if s.target != nil {
			connection.writeCancel(ack.id) // That of a signal may be far off.
		}
		return contextError(ctx, s.to)
	}
}

// acknowledgement waits for the sidecar to have a message where it belongs.
type acknowledgement struct {
	connection *connection
	to         string
	answer     chan error

	mu sync.Mutex
	id int64
}

// open writes the message. What arrives waits until the id is known.
func (a *acknowledgement) open(s *ownSend, call int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	id, err := a.connection.openID(a, s.op, s.content, func(out []byte) []byte {
		return s.rest(out, call)
	})
	a.id = id
	return err
}

func (a *acknowledgement) set(err error) {
	a.mu.Lock()
	id := a.id
	a.mu.Unlock()
	a.connection.endID(id)
	select {
	case a.answer <- err:
	default:
	}
}

func (a *acknowledgement) onData(*wire.Header, []byte) {}
func (a *acknowledgement) onCredit(int64)              {}
func (a *acknowledgement) onOK()                       { a.set(nil) }
func (a *acknowledgement) onError(header *wire.Header) { a.set(errorFrom(header, a.to)) }

func (a *acknowledgement) onCancel(string) {
	a.set(failure(Cancelled, "cancelled", "the sidecar dropped the message").at(a.to))
}

func (a *acknowledgement) onLost(err *Error) {
	lost := failure(Unavailable, "connection_lost", "%s", err.Message).at(a.to)
	lost.cause = err
	a.set(lost)
}
