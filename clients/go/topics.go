package coagent

import (
	"context"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// PublishOption is an option of Publish.
type PublishOption interface{ applyToPublish(*callOptions) }

func (f MessageOption) applyToPublish(o *callOptions)  { f(o) }
func (f DeliveryOption) applyToPublish(o *callOptions) { f(o) }

type publishOption func(*callOptions)

func (f publishOption) applyToPublish(o *callOptions) { f(o) }

// WithSource says whom a published message concerns, `default` unless said: it names the session of
// each agent that the topic feeds.
func WithSource(source string) PublishOption {
	return publishOption(func(o *callOptions) { o.source = source })
}

// Publish sends one message to all who subscribe to the topic, be they many or none. It returns
// once the sidecar has handed it out, or refused it; the deadline of ctx (else CallTimeout) bounds
// that wait alone.
func (c *Client) Publish(
	ctx context.Context, topic string, body any, options ...PublishOption,
) error {
	chosen := callOptions{source: "default"}
	for _, option := range options {
		option.applyToPublish(&chosen)
	}
	message, err := chosen.message(body)
	if err != nil {
		return err
	}
	if size := int64(len(message.Content)); size > c.contentBytesMax() {
		return failure(InvalidArgument, "too_large", "content of %d bytes exceeds %d", size,
			c.contentBytesMax())
	}
	header := wire.AppendText(make([]byte, 0, 128), wire.Topic, topic)
	header = wire.AppendText(header, wire.Source, chosen.source)
	handled := chosen.handled(ctx)
	header, err = chosen.words(header, &message, handled)
	if err != nil {
		return err
	}
	if chosen.expires > 0 {
		header = wire.AppendInteger(header, wire.TimeoutMS, max(1, chosen.expires.Milliseconds()))
	}
	sent := &ownSend{client: c, op: "publish", to: topic, header: header, content: message.Content}
	return sent.deliver(ctx, handled, !chosen.isUnacked)
}

// SubscribeOption is an option of Subscribe.
type SubscribeOption interface{ applyToSubscribe(*Subscription) }

func (w WindowOption) applyToSubscribe(s *Subscription) { s.window = int64(w) }

// Subscribe reads a topic from now on, or all that a pattern matches (`*` is one segment, a last
// `>` the rest). It returns once messages come; ctx bounds that wait alone, CallTimeout does where
// it has no deadline. The subscription has to be closed.
//
// WithWindow bounds how far the topic may run ahead of the reader. What is beyond it and as much
// again is lost, the oldest first; the next message tells how many in Dropped. With 1 it is one
// message at a time, always the newest.
func (c *Client) Subscribe(
	ctx context.Context, topic string, options ...SubscribeOption,
) (*Subscription, error) {
	s := &Subscription{client: c, topic: topic, window: wire.WindowDefault}
	s.changed = make(chan struct{})
	for _, option := range options {
		option.applyToSubscribe(s)
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, CallTimeout)
		defer cancel()
	}
	if err := c.read(s); err != nil {
		return nil, err
	}
	if err := s.ready(ctx); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// read makes the subscription one of the client's, and writes it if there is a connection.
func (c *Client) read(s *Subscription) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.subscriptions = append(c.subscriptions, s)
	if connection := c.greeted(); connection != nil {
		s.start(connection)
	}
	return nil
}
