package coagent

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

const (
	helloTime        = 5 * time.Second
	reconnectTime    = 100 * time.Millisecond
	reconnectTimeMax = 5 * time.Second
)

// isFinal tells whether trying to connect again is of no use.
func isFinal(err error) bool {
	var known *Error
	if !errors.As(err, &known) {
		return false
	}
	switch known.Code {
	case Unauthenticated, PermissionDenied, FailedPrecondition, InvalidArgument:
		return true
	}
	return false
}

// connectFirst tries until the first connection is made, or the time to wait is over.
func (c *Client) connectFirst(ctx context.Context) error {
	until := time.Now().Add(c.options.wait)
	for delay := reconnectTime / 2; ; delay = min(delay*2, time.Second) {
		err := c.connect(ctx)
		if err == nil || isFinal(err) || ctx.Err() != nil || time.Now().Add(delay).After(until) {
			return err
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return contextError(ctx, "")
		}
	}
}

// keepConnected makes a connection that is lost again, until the client ends.
func (c *Client) keepConnected() {
	defer c.goroutines.Done()
	for {
		c.mu.Lock()
		connection := c.connection
		c.mu.Unlock()
		select {
		case <-connection.done:
		case <-c.background.Done():
			return
		}
		if c.background.Err() != nil {
			return
		}
		c.options.logger.Warn("coagent: reconnecting", "error", connection.ended())
		if err := c.reconnect(); err != nil {
			if c.background.Err() == nil {
				c.options.logger.Error("coagent: the sidecar refused the connection", "error", err)
				c.finish(err)
			}
			return
		}
	}
}

// reconnect tries until there is a connection; its error is final.
func (c *Client) reconnect() error {
	for delay := reconnectTime; ; delay = min(delay*2, reconnectTimeMax) {
		wait := time.Duration(float64(delay) * (0.5 + rand.Float64()/2))
		select {
		case <-time.After(wait):
		case <-c.background.Done():
			return c.background.Err()
		}
		err := c.connect(c.background)
		if err == nil || isFinal(err) || c.background.Err() != nil {
			return err
		}
	}
}

// connect opens the socket, says hello, registers, and returns once welcome.
func (c *Client) connect(ctx context.Context) error {
	hello, err := c.hello()
	if err != nil {
		return err
	}
	network, address, err := parseURL(c.url)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, helloTime)
	defer cancel()
	socket, err := (&net.Dialer{}).DialContext(limited, network, address)
	if err != nil {
		if ctx.Err() != nil {
			return contextError(ctx, "")
		}
		failed := failure(Unavailable, "connection_lost",
			"cannot reach the sidecar at %s (%v); is coagentd running?", c.url, err)
		failed.cause = err
		failed.Retry = true
		return failed
	}
	connection := newConnection(c, socket)
	connection.run(&c.goroutines)
	if err := c.greet(connection, hello); err != nil {
		connection.abort(err)
		return err
	}
	select {
	case <-connection.welcome:
	case <-connection.done:
	case <-limited.Done():
		connection.abort(failure(Unavailable, "connection_lost", "the sidecar sent no welcome"))
		if ctx.Err() != nil {
			return contextError(ctx, "")
		}
	}
	if err := connection.ended(); err != nil {
		return err
	}
	return nil
}

// greet writes hello and the registrations, which need not wait for the welcome.
func (c *Client) greet(connection *connection, hello []byte) *Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.connection = connection
	_ = connection.write(nil, func(out []byte) []byte { return append(out, hello...) })
	for _, each := range c.registrations {
		each.start(connection)
	}
	for _, each := range c.subscriptions {
		each.start(connection)
	}
	return nil
}

func (c *Client) hello() ([]byte, error) {
	token := c.options.token
	if token == "" {
		var err error
		if token, err = defaultToken(); err != nil {
			return nil, err
		}
	}
	out := wire.AppendInteger([]byte(`{"op":"hello"`), wire.V, 1)
	out = wire.AppendText(out, wire.Client, "coagent-client-go/"+Version)
	out = wire.AppendText(out, wire.Name, c.options.name)
	out = wire.AppendText(out, wire.Token, token)
	out = wire.AppendText(out, wire.Features, "signals")
	return append(out, '}'), nil
}

// What the connection reports

func (c *Client) welcomed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wasWelcome {
		c.rejoinsUntil = time.Now().Add(rejoinTime)
	}
	c.wasWelcome = true
	c.change()
}

func (c *Client) draining(connection *connection) {
	if !connection.isDrained.Load() {
		c.options.logger.Info("coagent: the sidecar takes no new calls")
		return
	}
	c.options.logger.Warn("coagent: the operator drained this client: it hosts nothing any more")
	c.mu.Lock()
	registrations, subscriptions := slices.Clone(c.registrations), slices.Clone(c.subscriptions)
	c.change()
	c.mu.Unlock()
	for _, each := range registrations {
		each.drained(connection)
	}
	drained := failure(Unavailable, "draining", "the operator drained this client")
	for _, each := range subscriptions {
		each.end(drained.at(each.topic))
	}
}

func (c *Client) lost(connection *connection) {
	c.hosting.lost(connection)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change()
}
