package main

import (
	"context"
	"fmt"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

// slow never answers in time, but notices that nobody waits any more.
//
//	coagent call slow --timeout 1          # deadline_exceeded after a second
func slow(ctx context.Context, _ struct{}) (string, error) {
	left := "no end"
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline).Round(100 * time.Millisecond).String()
	}
	fmt.Println("slow: started, the caller gives it", left)
	select {
	case <-time.After(time.Minute):
		return "at last", nil
	case <-ctx.Done():
		fmt.Println("slow: cancelled, the caller is gone")
		return "", ctx.Err()
	}
}

func registerSlow(ctx context.Context, client *coagent.Client) error {
	_, err := client.Register(ctx, "slow", coagent.Func(slow),
		coagent.WithDescription("Takes a minute, and says so when its caller leaves before"))
	return err
}
