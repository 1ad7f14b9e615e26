package coagent

import (
	"context"
	"os/signal"
	"syscall"
)

// Serve hosts what is registered here until ctx ends; then it drains and closes the client, and
// returns nil. So it does when the sidecar's operator has drained the client, and what it handled
// is done. Else it returns before only if the client ends for good, with the reason.
func (c *Client) Serve(ctx context.Context) error {
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		if c.isDrained() {
			c.hosting.drained(ctx)
			return c.Close()
		}
		select {
		case <-changed:
		case <-c.background.Done():
			return c.reason()
		case <-ctx.Done():
			return c.Drain(context.WithoutCancel(ctx))
		}
	}
}

// isDrained tells that the sidecar's operator has drained the client, as long as the connection is
// there.
func (c *Client) isDrained() bool {
	c.mu.Lock()
	connection := c.connection
	c.mu.Unlock()
	return connection != nil && connection.isDrained.Load() && connection.ended() == nil
}

// reason is why the client has ended; nil if it was closed.
func (c *Client) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed {
		return nil
	}
	return c.err
}

// Run is Serve for a program that only hosts: until ctx ends, or SIGINT or SIGTERM comes.
func (c *Client) Run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second signal ends the program.
	defer stop()
	return c.Serve(ctx)
}
