package coagent

import (
	"context"
	"io"
	"iter"
	"slices"
	"sync"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// TopicMessage is a message of a topic: what was published, and what its reader is told besides.
type TopicMessage struct {
	Message
	Topic   string
	Source  string // Whom it concerns.
	Sender  string // The address of the agent that published it, or "".
	Dropped int64  // How many messages went before it because the reader was slow.
}

// Subscription has the messages of a topic, or of all that a pattern matches. Over a lost
// connection it goes on, without what was published in between. Several goroutines may use it; each
// message goes to one of them.
type Subscription struct {
	client *Client
	topic  string
	window int64

	mu           sync.Mutex // Guards what follows.
	connection   *connection
	id           int64
	isSubscribed bool
	hasEnded     bool
	err          error         // Why; io.EOF after Close.
	changed      chan struct{} // Closed, and made anew, when there is something to look at.
	messages     []topicArrival
	taken        int64 // What the messages given out last took of the window.
	owed         int64
}

type topicArrival struct {
	message *TopicMessage
	cost    int64
}

// Topic is the topic or pattern.
func (s *Subscription) Topic() string { return s.topic }

// Next waits for the next message; io.EOF after Close, an *Error if the subscription or the client
// has ended. To ask for a message says that the one before is done with. When ctx ends, Next
// returns, and the subscription goes on.
func (s *Subscription) Next(ctx context.Context) (*TopicMessage, error) {
	s.settle()
	for {
		s.mu.Lock()
		if len(s.messages) > 0 {
			first := s.messages[0]
			s.messages[0] = topicArrival{}
			s.messages = s.messages[1:]
			s.taken += first.cost
			s.mu.Unlock()
			return first.message, nil
		}
		hasEnded, err, changed := s.hasEnded, s.err, s.changed
		s.mu.Unlock()
		if hasEnded {
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, contextError(ctx, s.topic)
		}
	}
}

// Messages iterates over the messages until ctx or the subscription ends, which is the loop's last
// error unless it was Close. Leaving the loop closes the subscription.
func (s *Subscription) Messages(ctx context.Context) iter.Seq2[*TopicMessage, error] {
	return func(yield func(*TopicMessage, error) bool) {
		defer s.Close()
		for {
			message, err := s.Next(ctx)
			if err == io.EOF || !yield(message, err) || err != nil {
				return
			}
		}
	}
}

// Close ends the subscription; whoever waits in Next gets io.EOF.
func (s *Subscription) Close() error {
	s.mu.Lock()
	connection, id := s.connection, s.id
	if !s.hasEnded {
		s.messages = nil
	}
	s.mu.Unlock()
	s.end(io.EOF)
	if id != 0 {
		connection.endID(id)
		connection.writeCancel(id)
	}
	return nil
}

// end is that nothing more comes; what is there can still be read.
func (s *Subscription) end(err error) {
	s.client.mu.Lock()
	s.client.subscriptions = slices.DeleteFunc(s.client.subscriptions,
		func(each *Subscription) bool { return each == s })
	s.client.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hasEnded {
		return
	}
	s.hasEnded, s.err = true, err
	s.connection, s.id = nil, 0
	s.change()
}

// change wakes whoever waits. mu is held.
func (s *Subscription) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// start writes `subscribe`.
func (s *Subscription) start(connection *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken, s.owed = 0, 0
	for i := range s.messages {
		s.messages[i].cost = 0 // Nobody grants for what came by a connection that is gone.
	}
	id, err := connection.openID(s, "subscribe", nil, func(out []byte) []byte {
		out = wire.AppendText(out, wire.Topic, s.topic)
		if s.window != wire.WindowDefault {
			out = wire.AppendInteger(out, wire.Window, s.window)
		}
		return out
	})
	if err == nil {
		s.connection, s.id = connection, id
		return
	}
	if known, ok := err.(*Error); ok && known.Code == InvalidArgument {
		s.hasEnded, s.err = true, known
		s.change()
	}
}

// ready waits for the sidecar's answer.
func (s *Subscription) ready(ctx context.Context) error {
	for {
		s.mu.Lock()
		isSubscribed, hasEnded, err, changed := s.isSubscribed, s.hasEnded, s.err, s.changed
		s.mu.Unlock()
		switch {
		case hasEnded:
			return err
		case isSubscribed:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return contextError(ctx, s.topic)
		}
	}
}

// settle grants for what was taken, half a window at a time.
func (s *Subscription) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owed += s.taken
	s.taken = 0
	if s.id != 0 && s.owed >= max(s.window/2, 1) {
		s.connection.writeCredit(s.id, s.owed)
		s.owed = 0
	}
}

// Frames

func (s *Subscription) onCredit(int64)  {}
func (s *Subscription) onCancel(string) {}

func (s *Subscription) onData(header *wire.Header, content []byte) {
	contentType := header.Text(wire.ContentType)
	if contentType == "" {
		contentType = JSON
	}
	message := &TopicMessage{
		Message: Message{
			content, contentType, header.Text(wire.Type), header.Object(wire.Ext), nil,
		},
		Topic:   header.Text(wire.Topic),
		Source:  header.Text(wire.Source),
		Sender:  header.Text(wire.From),
		Dropped: header.Integer(wire.Dropped),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.hasEnded {
		cost := int64(len(content)) + wire.FrameCost
		s.messages = append(s.messages, topicArrival{message, cost})
		s.change()
	}
}

func (s *Subscription) onOK() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isSubscribed = true
	s.change()
}

func (s *Subscription) onError(header *wire.Header) {
	err := errorFrom(header, s.topic)
	s.mu.Lock()
	connection, id := s.connection, s.id
	s.connection, s.id = nil, 0
	s.mu.Unlock()
	if connection != nil {
		connection.endID(id)
	}
	if err.Reason != "draining" || connection == nil || !connection.isDraining.Load() {
		s.end(err) // Else that connection closes soon, and the next one takes it.
	}
}

func (s *Subscription) onLost(*Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connection, s.id = nil, 0
}
