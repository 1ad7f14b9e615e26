// Command library is a pair written with the Go client, as its users write it; the same work as
// bare.
//
//	library host   --url unix:/path
//	library caller --url unix:/path --depth 64 --size 16 --seconds 1
//	library caller --url unix:/path --parts 20000 --seconds 1
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/coagent/coagent/bench/go/measuring"
	coagent "github.com/coagent/coagent/clients/go"
)

const concurrency = 100_000

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	arguments, err := measuring.ReadArguments()
	if err != nil {
		return err
	}
	client, err := coagent.Connect(ctx, arguments.URL)
	if err != nil {
		return err
	}
	defer client.Close()
	if arguments.Role == "host" {
		return host(ctx, client)
	}
	return call(ctx, client, arguments)
}

func host(ctx context.Context, client *coagent.Client) error {
	for name, agent := range map[string]coagent.Agent{
		"bench.echo":   coagent.Func(echo),
		"bench.stream": coagent.Handler(stream),
	} {
		_, err := client.Register(ctx, name, agent, coagent.WithConcurrency(concurrency))
		if err != nil {
			return err
		}
	}
	fmt.Println("ready")
	select {}
}

func echo(_ context.Context, value string) (string, error) { return value, nil }

func stream(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
	var parts int
	if err := request.Decode(&parts); err != nil {
		return err
	}
	for range parts - 1 {
		if err := out.SendPart(ctx, "t"); err != nil {
			return err
		}
	}
	return out.SendLast(ctx, "t")
}

func call(ctx context.Context, client *coagent.Client, arguments measuring.Arguments) error {
	measurement := measuring.Begin(arguments)
	work := func() error { return streamOnce(ctx, client, arguments.Parts, measurement) }
	depth := 1
	if arguments.Parts == 0 {
		value := strings.Repeat("x", max(arguments.Size-2, 0))
		work = func() error { return echoOnce(ctx, client, value) }
		depth = arguments.Depth
	}
	if err := measurement.Workers(depth, work); err != nil {
		return err
	}
	return measurement.Print()
}

func echoOnce(ctx context.Context, client *coagent.Client, value string) error {
	reply, err := coagent.CallAs[string](ctx, client, "bench.echo", value)
	if err == nil && reply != value {
		err = errors.New("another content came back")
	}
	return err
}

func streamOnce(
	ctx context.Context, client *coagent.Client, parts int, measurement *measuring.Measurement,
) error {
	reply, err := client.Start(ctx, "bench.stream", parts)
	if err != nil {
		return err
	}
	received := 0
	for _, err := range reply.Parts() {
		if err != nil {
			return err
		}
		measurement.Part()
		received++
	}
	if received != parts {
		return fmt.Errorf("%d of %d parts came", received, parts)
	}
	return nil
}
