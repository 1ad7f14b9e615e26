package coagent_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"strings"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
	"github.com/coagent/coagent/clients/go/local"
)

// sidecar stands for the coagentd that runs already: the examples start one of their own.
func sidecar(ctx context.Context) (client *coagent.Client, end func()) {
	started, err := local.Start(ctx)
	if err != nil {
		log.Fatal(err)
	}
	client, err = started.Connect(ctx)
	if err != nil {
		log.Fatal(err)
	}
	return client, func() {
		if err := errors.Join(client.Close(), started.Close()); err != nil {
			log.Fatal(err)
		}
	}
}

func Example() {
	ctx := context.Background()
	client, end := sidecar(ctx) // Elsewhere: coagent.Connect(ctx, "").
	defer end()

	shout := func(_ context.Context, text string) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for _, word := range strings.Fields(text) {
				if !yield(strings.ToUpper(word), nil) { // Not resumed without credit.
					return
				}
			}
		}
	}
	if _, err := client.Register(ctx, "demo.shout", coagent.StreamFunc(shout)); err != nil {
		log.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // The agent's deadline as well.
	defer cancel()
	for message, err := range client.Stream(ctx, "demo.shout", "hello world") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(message.Text())
	}
	if _, err := client.Call(ctx, "demo.missing", nil); errors.Is(err, coagent.ErrNotFound) {
		fmt.Println("nobody there")
	}
	// Output:
	// HELLO
	// WORLD
	// nobody there
}

type Counter struct{ total int }

func (c *Counter) Add(_ context.Context, number int) (int, error) {
	c.total += number
	return c.total, nil
}

func (c *Counter) Closed(reason string) { fmt.Println("closed:", reason) }

func ExampleSessions() {
	ctx := context.Background()
	client, end := sidecar(ctx)
	defer end()

	_, err := client.Register(ctx, "counter", coagent.Sessions(
		func(context.Context) (*Counter, error) { return &Counter{}, nil },
		coagent.Operation("add", (*Counter).Add),
	))
	if err != nil {
		log.Fatal(err)
	}
	for _, session := range []string{"alice", "alice", "bob"} {
		total, err := coagent.CallAs[int](ctx, client, "counter:"+session, 2, coagent.WithType("add"))
		fmt.Println(session, total, err)
	}
	total, err := coagent.CallAs[int](ctx, client, "counter", 7) // A session of its own.
	fmt.Println(total, err)
	// Unordered output:
	// alice 2 <nil>
	// alice 4 <nil>
	// bob 2 <nil>
	// closed: ended
	// 7 <nil>
	// closed: connection_lost
	// closed: connection_lost
}

func ExampleClient_Open() {
	ctx := context.Background()
	client, end := sidecar(ctx)
	defer end()

	interpreter := func(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
		for message, err := range request.Messages() {
			if err != nil {
				return err
			}
			if err := out.Send(ctx, strings.ToUpper(message.Text())); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := client.RegisterFunc(ctx, "interpreter", interpreter); err != nil {
		log.Fatal(err)
	}
	exchange, err := client.Open(ctx, "interpreter", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer exchange.Close()
	for _, text := range []string{"one", "two"} {
		if err := exchange.Send(ctx, text); err != nil {
			log.Fatal(err)
		}
		answer, err := exchange.Next(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(answer.Text())
	}
	if err := exchange.End(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// ONE
	// TWO
}

func ExampleInterrupted() {
	ctx := context.Background()
	client, end := sidecar(ctx)
	defer end()

	think := func(ctx context.Context, _ *coagent.Request, out *coagent.Sender) error {
		if err := out.Send(ctx, "thinking"); err != nil {
			return err
		}
		<-ctx.Done()
		var interrupted *coagent.Interrupted
		if errors.As(context.Cause(ctx), &interrupted) { // The reply may be finished.
			return out.SendLast(ctx, "in short: "+interrupted.Text())
		}
		return context.Cause(ctx)
	}
	if _, err := client.RegisterFunc(ctx, "thinker", think); err != nil {
		log.Fatal(err)
	}
	reply, err := client.Start(ctx, "thinker:ann", "why?")
	if err != nil {
		log.Fatal(err)
	}
	for thought, err := range reply.Messages() {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(thought.Text())
		if thought.Text() == "thinking" {
			err = client.Interrupt(ctx, "thinker:ann", "be brief") // Or reply.Interrupt.
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// thinking
	// in short: be brief
}

func ExampleClient_Attach() {
	ctx := context.Background()
	client, end := sidecar(ctx)
	defer end()

	count := func(_ context.Context, last int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for number := 1; number <= last && yield(number, nil); number++ {
			}
		}
	}
	if _, err := client.Register(ctx, "count", coagent.StreamFunc(count)); err != nil {
		log.Fatal(err)
	}
	value, err := client.Call(ctx, "count", 3, coagent.WithRun("job-1"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("called:", len(value.Messages))
	reply, err := client.Attach(ctx, "job-1", coagent.From(1)) // As often as one likes, for a while.
	if err != nil {
		log.Fatal(err)
	}
	for message, err := range reply.Messages() {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("attached:", message.Text())
	}
	// Output:
	// called: 3
	// attached: 2
	// attached: 3
}

func ExampleRequest_Delegate() {
	ctx := context.Background()
	client, end := sidecar(ctx)
	defer end()

	upper := func(_ context.Context, text string) (string, error) {
		return strings.ToUpper(text), nil
	}
	report := func(ctx context.Context, topic string) iter.Seq2[any, error] {
		return func(yield func(any, error) bool) {
			request, _ := coagent.FromContext(ctx)
			loud, err := request.Delegate(ctx, "upper", topic) // It is at work from here on.
			_ = yield("intro", err) && yield(loud, nil) && yield("end", nil)
		}
	}
	front := func(ctx context.Context, topic string) (*coagent.Delegated, error) {
		request, _ := coagent.FromContext(ctx)
		return request.Delegate(ctx, "report", topic) // A handoff.
	}
	for name, agent := range map[string]coagent.Agent{
		"upper": coagent.Func(upper), "report": coagent.StreamFunc(report),
		"front": coagent.Func(front),
	} {
		if _, err := client.Register(ctx, name, agent); err != nil {
			log.Fatal(err)
		}
	}
	for message, err := range client.Stream(ctx, "front", "rain") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(message.Text())
	}
	// Output:
	// intro
	// RAIN
	// end
}
