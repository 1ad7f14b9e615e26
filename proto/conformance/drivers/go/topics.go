package main

import (
	"context"
	"io"

	coagent "github.com/coagent/coagent/clients/go"
)

func (d *driver) publish(ctx context.Context, begin func(), c command) error {
	client, err := d.client(c.Client)
	if err != nil {
		return err
	}
	body, err := c.Body.body()
	if err != nil {
		return err
	}
	parent, common, err := d.parent(ctx, c)
	if err != nil {
		return err
	}
	var options []coagent.PublishOption
	for _, option := range common {
		options = append(options, option)
	}
	if c.Source != "" {
		options = append(options, coagent.WithSource(c.Source))
	}
	if c.Ack != nil && !*c.Ack {
		options = append(options, coagent.WithoutAck())
	}
	if c.TimeoutMS != nil {
		options = append(options, coagent.Expires(milliseconds(*c.TimeoutMS)))
	}
	// Without a deadline Publish makes a context of its own, and tells of that as of waiting.
	parent, cancel := context.WithTimeout(parent, coagent.CallTimeout)
	defer cancel()
	return client.Publish(begunContext{parent, begin}, c.Topic, body, options...)
}

func (d *driver) subscribe(ctx context.Context, c command) error {
	client, err := d.client(c.Client)
	if err != nil {
		return err
	}
	var options []coagent.SubscribeOption
	if c.Window != nil {
		options = append(options, coagent.WithWindow(*c.Window))
	}
	subscription, err := client.Subscribe(ctx, c.Topic, options...)
	if err != nil {
		return err
	}
	d.keep(c.As, &subscribed{subscription})
	return nil
}

// subscribed is a topic that is read.
type subscribed struct {
	subscription *coagent.Subscription
}

func (s *subscribed) leave() { _ = s.subscription.Close() }

func (s *subscribed) next(ctx context.Context) (object, error) {
	message, err := s.subscription.Next(ctx)
	if err == io.EOF {
		return object{"end": true}, nil
	}
	if err != nil {
		return nil, err
	}
	told, err := messageJSON(&message.Message)
	if err != nil {
		return nil, err
	}
	told["topic"], told["source"] = message.Topic, message.Source
	if message.Sender != "" {
		told["sender"] = message.Sender
	}
	if message.Dropped > 0 {
		told["dropped"] = message.Dropped
	}
	return object{"message": told}, nil
}
