// Story agents-calling-agents: what an agent asks of others belongs to the call that it handles.
//
//	cd examples && go run ./agents-calling-agents
//
// Child calls have no more time than their parent, carry its trace and ext on, and end with it: all
// that is needed is to make them with the context that came with the request.
package main

import (
	"context"
	"fmt"
	"log"
	"slices"
	"strings"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

var (
	asked     = make(chan string, 2)
	cancelled = make(chan string, 2)
)

// Counter counts, each session for itself.
type Counter struct{ total int }

func newCounter(context.Context) (*Counter, error) { return &Counter{}, nil }

func (c *Counter) Add(ctx context.Context, number int) (int, error) {
	c.total += number
	return c.total, nil
}

func words(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
	defer noteCancellation(ctx, request)
	relation, deadline := "another", "no"
	if request.Trace() == trace {
		relation = "the same"
	}
	if _, ok := request.TimeLeft(); ok {
		deadline = "a"
	}
	asked <- fmt.Sprintf("by %s, for %s, %s trace, %s deadline",
		request.Sender(), request.Ext()["customer"], relation, deadline)
	for _, word := range strings.Fields(request.Text()) {
		if err := out.Send(ctx, word); err != nil {
			return err
		}
		if word == "ever" {
			<-ctx.Done()
			return ctx.Err()
		}
	}
	return nil
}

// Planner asks the others, through its client.
type Planner struct{ client *coagent.Client }

func (p Planner) Plan(
	ctx context.Context, request *coagent.Request, out *coagent.Sender,
) error {
	defer noteCancellation(ctx, request)
	goal := request.Text()
	number, err := coagent.CallAs[int](ctx, p.client, "team.counter:plans", 1)
	if err != nil {
		return err
	}
	if err := out.Send(ctx, fmt.Sprintf("plan %d: %s", number, goal)); err != nil {
		return err
	}
	step := 0
	for word, err := range p.client.Stream(ctx, "team.words", goal) {
		if err != nil {
			return err
		}
		step++
		if err := out.Send(ctx, fmt.Sprintf("  %d. %s", step, word.Text())); err != nil {
			return err
		}
	}
	return nil
}

func noteCancellation(ctx context.Context, request *coagent.Request) {
	if ctx.Err() != nil {
		cancelled <- request.Name()
	}
}

func tell(ctx context.Context) error {
	client, err := coagent.Connect(ctx, "")
	if err != nil {
		return err
	}
	defer client.Close()
	for name, agent := range map[string]coagent.Agent{
		"team.counter": coagent.Sessions(newCounter, coagent.Operation("add", (*Counter).Add)),
		"team.words":   coagent.Handler(words),
		"team.planner": coagent.Handler(Planner{client}.Plan),
	} {
		if _, err := client.Register(ctx, name, agent); err != nil {
			return err
		}
	}

	if err := ask(ctx, client, "buy fresh milk", ""); err != nil {
		return err
	}
	fmt.Println("words was asked", <-asked)

	if err := ask(ctx, client, "wait for ever", "  3. ever"); err != nil {
		return err
	}
	names := []string{<-cancelled, <-cancelled}
	slices.Sort(names)
	for _, name := range names {
		fmt.Println("cancelled:", name)
	}
	return nil
}

// ask prints what the planner says, and leaves after the last line that is wanted: that cancels the
// planner, and with it what the planner called.
func ask(ctx context.Context, client *coagent.Client, goal, last string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	customer := coagent.WithExt(map[string]any{"customer": "ann"})
	plan := client.Stream(ctx, "team.planner", goal, coagent.WithTrace(trace), customer)
	for line, err := range plan {
		if err != nil {
			return err
		}
		fmt.Println(line.Text())
		if line.Text() == last {
			break
		}
	}
	return nil
}

func main() {
	if err := tell(context.Background()); err != nil {
		log.Fatal(err)
	}
}
