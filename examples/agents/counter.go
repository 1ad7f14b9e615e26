package main

import (
	"context"
	"fmt"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

// Counter adds up, for each session on its own.
//
//	coagent call counter:alice -d 2
//	coagent call counter:alice -d 3        # 5
//	coagent call counter:bob -d 1          # 1
type Counter struct{ total int }

func newCounter(context.Context) (*Counter, error) { return &Counter{}, nil }

func (c *Counter) Add(ctx context.Context, number int) (int, error) {
	c.total += number
	return c.total, nil
}

func (c *Counter) Closed(reason string) {
	fmt.Printf("counter: a session ended (%s) at %d\n", reason, c.total)
}

func registerCounter(ctx context.Context, client *coagent.Client) error {
	counter := coagent.Sessions(newCounter, coagent.Operation("add", (*Counter).Add).
		Described("Adds a number and returns the sum so far."))
	_, err := client.Register(ctx, "counter", counter, coagent.WithIdle(time.Minute),
		coagent.WithDescription("Adds up numbers, for each session on its own"))
	return err
}
