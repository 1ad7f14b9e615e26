package main

import (
	"context"
	"errors"
	"fmt"

	coagent "github.com/coagent/coagent/clients/go"
)

var errUnknownFruit = errors.New("unknown fruit")

var prices = map[string]int{"apple": 3}

// faulty fails for most fruit, so that the caller sees what becomes of an error.
//
//	coagent call faulty -d '"anything"'    # internal/agent_error, with type and cause
func faulty(ctx context.Context, fruit string) (int, error) {
	price, ok := prices[fruit]
	if !ok {
		return 0, fmt.Errorf("no price for %s: %w", fruit, errUnknownFruit)
	}
	return price, nil
}

func registerFaulty(ctx context.Context, client *coagent.Client) error {
	_, err := client.Register(ctx, "faulty", coagent.Func(faulty),
		coagent.WithDescription("Fails with a cause"))
	return err
}
