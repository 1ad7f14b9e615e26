package coagent

import (
	"context"
	"os/signal"
	"syscall"
)

// Serve hosts what is registered here until ctx ends; then it drains and closes the client, and
// returns nil. It returns before only if the client ends for good, with the reason.
func (c *Client) Serve(ctx context.Context) error {
	select {
	case <-c.background.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.isClosed {
			return nil
		}
		return c.err
	case <-ctx.Done():
		return c.Drain(context.WithoutCancel(ctx))
	}
}

// Run is Serve for a program that only hosts: until ctx ends, or SIGINT or SIGTERM comes.
func (c *Client) Run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second signal ends the program.
	defer stop()
	return c.Serve(ctx)
}
