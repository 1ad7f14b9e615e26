package coagent

import (
	"context"
	"sync"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// ownSend is a message that nobody answers, ready to be written.
type ownSend struct {
	client  *Client
	to      string
	header  []byte
	content []byte
	parent  *hostedCall
}

// ready waits for the connection to send it on.
func (s *ownSend) ready(ctx context.Context) (*connection, error) {
	if s.parent != nil {
		if s.parent.connection.ended() != nil {
			return nil, failure(Cancelled, "parent_ended",
				"the call this serves was lost with its connection").at(s.to)
		}
		return s.parent.connection, nil
	}
	connection, err := s.client.connected(ctx)
	if err == nil {
		err = connection.waitSpace(ctx)
	}
	if err != nil && ctx.Err() != nil {
		return nil, contextError(ctx, s.to)
	}
	return connection, err
}

func (s *ownSend) rest(out []byte) []byte {
	out = append(out, s.header...)
	if s.parent != nil {
		out = wire.AppendInteger(out, wire.Parent, s.parent.id)
	}
	return out
}

// forgotten writes it without an id: nothing is heard of it.
func (s *ownSend) forgotten(ctx context.Context) error {
	connection, err := s.ready(ctx)
	if err != nil {
		return err
	}
	return connection.write(s.content, func(out []byte) []byte {
		return append(s.rest(append(out, `{"op":"send"`...)), '}')
	})
}

// acknowledged writes it and waits for the answer.
func (s *ownSend) acknowledged(ctx context.Context) error {
	connection, err := s.ready(ctx)
	if err != nil {
		return err
	}
	ack := &acknowledgement{connection: connection, to: s.to, answer: make(chan error, 1)}
	if err := ack.open(s); err != nil {
		return err
	}
	select {
	case err := <-ack.answer:
		return err
	case <-ctx.Done():
		// The answer will come, and end the id; it is what was sent that cannot be taken back.
		return contextError(ctx, s.to)
	}
}

// acknowledgement waits for the sidecar to have a message in the mailbox.
type acknowledgement struct {
	connection *connection
	to         string
	answer     chan error

	mu sync.Mutex
	id int64
}

// open writes the message. What arrives waits until the id is known.
func (a *acknowledgement) open(s *ownSend) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	id, err := a.connection.openID(a, "send", s.content, s.rest)
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
