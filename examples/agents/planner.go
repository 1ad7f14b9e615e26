package main

import (
	"context"
	"fmt"
	"strings"

	coagent "github.com/coagent/coagent/clients/go"
)

// Planner asks other agents, and streams what comes of it on.
//
//	coagent stream planner -d '"buy milk"'
//
// Its calls are children of the one it handles: they have no more time, and end with it.
type Planner struct{ client *coagent.Client }

func (p Planner) Plan(
	ctx context.Context, request *coagent.Request, out *coagent.Sender,
) error {
	goal := request.Text()
	number, err := coagent.CallAs[int](ctx, p.client, "counter:plans", 1)
	if err != nil {
		return err
	}
	if err := out.Send(ctx, fmt.Sprintf("Plan %d: %s\n", number, goal)); err != nil {
		return err
	}
	step := 0
	for word, err := range p.client.Stream(ctx, "words", goal) {
		if err != nil {
			return err
		}
		step++
		line := fmt.Sprintf("  %d. %s\n", step, strings.TrimSpace(word.Text()))
		if err := out.Send(ctx, line); err != nil {
			return err
		}
	}
	return nil
}

func registerPlanner(ctx context.Context, client *coagent.Client) error {
	_, err := client.RegisterFunc(ctx, "planner", Planner{client}.Plan,
		coagent.WithDescription("Turns a goal into numbered steps, with the help of words"))
	return err
}
