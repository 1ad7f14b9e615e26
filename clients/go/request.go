package coagent

import (
	"context"
	"io"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Request is a call as its agent sees it. Calls made with the context that came with it are its
// children: they have at most its time, end when it is cancelled, and carry its trace and ext.
type Request struct {
	call          *hostedCall
	address       string
	sender        string
	kind          string
	trace         string
	ext           map[string]any
	isNew         bool
	isSend        bool
	isObservation bool
	hasMessage    bool
	topic         string
	source        string

	check atomic.Pointer[Validate] // Of the first message, if it is still to come.

	mu      sync.Mutex // Guards what follows; held while somebody waits for the first message.
	isRead  bool
	message *Message
	err     error
}

// FromContext is the request that is being handled with this context.
func FromContext(ctx context.Context) (*Request, bool) {
	request, ok := ctx.Value(requestKey{}).(*Request)
	return request, ok
}

// Address is what was called: `name` or `name:session`.
func (r *Request) Address() string { return r.address }

// Name is the agent's name.
func (r *Request) Name() string {
	name, _, _ := strings.Cut(r.address, ":")
	return name
}

// Session is the session, or "" if the call has none.
func (r *Request) Session() string {
	_, session, _ := strings.Cut(r.address, ":")
	return session
}

// InSession is the address of this call's session with another agent: `other:s` in a call of the
// session s, else `other`.
func (r *Request) InSession(other string) string {
	if session := r.Session(); session != "" {
		return other + ":" + session
	}
	return other
}

// Sender is the address of the agent that calls, or "".
func (r *Request) Sender() string { return r.sender }

// Type is that of the first message, or "".
func (r *Request) Type() string { return r.kind }

// Trace is the caller's traceparent, or "".
func (r *Request) Trace() string { return r.trace }

// Ext is what the caller said to whoever handles this. It proves nothing, and is not to be changed.
func (r *Request) Ext() map[string]any { return r.ext }

// IsNew tells that this call creates its session.
func (r *Request) IsNew() bool { return r.isNew }

// IsSend tells that nobody waits for an answer.
func (r *Request) IsSend() bool { return r.isSend }

// IsObservation tells that the message is to take note of, not to act on.
func (r *Request) IsObservation() bool { return r.isObservation }

// Topic is the topic that the message was published to, or "" if it was not.
func (r *Request) Topic() string { return r.topic }

// Source is whom that message concerns, or "".
func (r *Request) Source() string { return r.source }

// HasMessage tells that the first message came with the call: Message need not wait for it.
func (r *Request) HasMessage() bool { return r.hasMessage }

// Client is the one that hosts the agent, to call others with.
func (r *Request) Client() *Client { return r.call.client }

// TimeLeft is the time until the caller stops waiting; false if it has no deadline.
func (r *Request) TimeLeft() (time.Duration, bool) {
	deadline, ok := r.call.ctx.Deadline()
	return max(0, time.Until(deadline)), ok
}

// Message is the first message of the input, for which it waits if it is still to come. It is
// empty if there is none.
func (r *Request) Message() (*Message, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.isRead {
		return r.message, r.err
	}
	message, err := r.arrived(&r.call.ctx)
	if err == io.EOF {
		message, err = &Message{ContentType: JSON}, nil
	}
	if err == nil || err != r.call.ctx.Err() || r.call.lasting.Err() != nil { // Else it will come.
		r.isRead, r.message, r.err = true, message, err
	}
	return message, err
}

// Decode reads the first message into what value points to; see Message.Decode. Its error is for
// the agent to return.
func (r *Request) Decode(value any) error {
	message, err := r.Message()
	if err != nil {
		return err
	}
	return message.Decode(value)
}

// Text is the first message as text, "" if it cannot be had; see Message.Text.
func (r *Request) Text() string {
	message, err := r.Message()
	if err != nil {
		return ""
	}
	return message.Text()
}

// Next waits for the next message of the input: the first, unless Message, Decode or Text took it.
// After the last it is io.EOF. Credit is granted as messages are taken.
func (r *Request) Next(ctx context.Context) (*Message, error) { return r.arrived(ctx) }

// Messages iterates over the rest of the input, as Next does.
func (r *Request) Messages() iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		for {
			message, err := r.Next(&r.call.ctx)
			if err == io.EOF || !yield(message, err) || err != nil {
				return
			}
		}
	}
}

// Sender is where an agent sends its reply. A message waits there until the caller's window takes
// it; an interrupt of the call does not end that. Several goroutines may use it; a message is never
// cut by another.
type Sender struct {
	call  *hostedCall
	check Validate // Of each message, if there is one.
}

// Send sends a message; see NewMessage for what the body may be. It waits while the caller gives no
// credit, and fails once nobody waits for the reply.
//
// A Delegated stands at this place of the reply, without waiting for it; what is OutOfOrder goes
// before that. A Reply, or what Stream returns, is copied, message by message; its last error is
// one at this place.
func (s *Sender) Send(ctx context.Context, body any) error { return s.put(ctx, body, false) }

// SendLast sends a message and ends the reply with it; nothing can follow. A Delegated is handed
// over to: the call goes on without this agent.
func (s *Sender) SendLast(ctx context.Context, body any) error { return s.put(ctx, body, true) }

// SendPart sends a piece of a message that goes on, such as a token of a text: a string, a []byte
// or a Message. The message ends with the next that is sent, or with the reply.
func (s *Sender) SendPart(ctx context.Context, piece any) error {
	message, err := encodeChecked(piece)
	if err != nil {
		return err
	}
	ctx, end := s.call.replying(ctx)
	defer end()
	return s.call.sending.sendPart(ctx, &message)
}

// SendError sends an error at this position of the stream, which goes on behind it.
func (s *Sender) SendError(ctx context.Context, err error) error {
	ctx, end := s.call.replying(ctx)
	defer end()
	return s.call.sending.sendError(ctx, asError(err))
}

// Forward calls another agent, as a child of this call, and sends its reply, message by message, as
// it comes.
func (s *Sender) Forward(ctx context.Context, to string, body any, options ...CallOption) error {
	replying, end := s.call.replying(ctx)
	defer end()
	for message, err := range s.call.client.Stream(ctx, to, body, options...) {
		switch {
		case err == nil:
			err = s.call.sending.send(replying, message, false)
		case message != nil:
			err = s.SendError(ctx, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// encodeChecked is encode, of a message whose ext can be sent.
func encodeChecked(body any) (Message, error) {
	message, err := encode(body)
	if err == nil && len(message.Ext) > 0 {
		_, err = appendExt(nil, message.Ext)
	}
	return message, err
}

func isEnd(err error) bool { return err == io.EOF }
