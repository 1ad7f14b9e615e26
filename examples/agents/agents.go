// All example agents in one process, on one connection; or those that are named.
//
//	cd examples && go run ./agents
//	cd examples && go run ./agents planner
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

// registrations are all agents, by name.
var registrations = map[string]func(context.Context, *coagent.Client) error{
	"words":   registerWords,
	"counter": registerCounter,
	"planner": registerPlanner,
	"faulty":  registerFaulty,
	"slow":    registerSlow,
	"relay":   registerRelay,
}

func host(ctx context.Context, wanted []string) error {
	client, err := coagent.Connect(ctx, "",
		coagent.WithName("agents"), coagent.WithWait(10*time.Second))
	if err != nil {
		return err
	}
	for name, register := range registrations {
		if len(wanted) > 0 && !slices.Contains(wanted, name) {
			continue
		}
		if err := register(ctx, client); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return client.Run(ctx) // Until SIGINT or SIGTERM.
}

func main() {
	if err := host(context.Background(), os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}
