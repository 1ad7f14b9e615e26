// Story side-by-side: every verb once, as clients/README.md has them.
//
//	cd examples && go run ./side-by-side
package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"strings"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

func upper(_ context.Context, text string) (string, error) { return strings.ToUpper(text), nil }

func words(_ context.Context, text string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, word := range strings.Fields(text) {
			if !yield(word, nil) {
				return
			}
		}
	}
}

func mirror(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
	for message, err := range request.Messages() {
		if err != nil {
			return err
		}
		if err := out.Send(ctx, "<"+message.Text()+">"); err != nil {
			return err
		}
	}
	return nil
}

func hello(ctx context.Context, name string) (string, error) {
	request, _ := coagent.FromContext(ctx)
	loud, err := request.Client().Call(ctx, "side.upper", name)
	if err != nil {
		return "", err
	}
	return "hello " + loud.Text(), nil
}

func busy(ctx context.Context, _ struct{}) (string, error) {
	<-ctx.Done()
	return "", context.Cause(ctx)
}

func refuse(context.Context, string) (string, error) {
	return "", coagent.Errorf(coagent.Aborted, "busy", "not now")
}

func think(ctx context.Context, _ *coagent.Request, out *coagent.Sender) error {
	if err := out.Send(ctx, "thinking"); err != nil {
		return err
	}
	<-ctx.Done()
	var interrupted *coagent.Interrupted
	if errors.As(context.Cause(ctx), &interrupted) {
		return out.SendLast(ctx, "in short: "+interrupted.Text())
	}
	return context.Cause(ctx)
}

func report(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
	words, err := request.Delegate(ctx, "side.words", request.Text())
	if err != nil {
		return err
	}
	return errors.Join(out.Send(ctx, "begin"), out.Send(ctx, words), out.Send(ctx, "end"))
}

func front(ctx context.Context, text string) (*coagent.Delegated, error) {
	request, _ := coagent.FromContext(ctx)
	return request.Delegate(ctx, "side.upper", text)
}

// Counter adds up, for each session on its own.
type Counter struct{ total int }

func newCounter(context.Context) (*Counter, error) { return &Counter{}, nil }

func (c *Counter) Add(_ context.Context, number int) (int, error) {
	c.total += number
	return c.total, nil
}

func register(ctx context.Context, client *coagent.Client) error {
	counters := coagent.Sessions(newCounter, coagent.Operation("add", (*Counter).Add))
	describe := coagent.WithDescription("Upper-cases a text")
	_, err := client.Register(ctx, "side.upper", coagent.Func(upper), describe)
	for name, agent := range map[string]coagent.Agent{
		"side.words": coagent.StreamFunc(words), "side.mirror": coagent.Handler(mirror),
		"side.hello": coagent.Func(hello), "side.busy": coagent.Func(busy),
		"side.refuse": coagent.Func(refuse), "side.thinker": coagent.Handler(think),
		"side.report": coagent.Handler(report), "side.front": coagent.Func(front),
	} {
		_, failed := client.Register(ctx, name, agent)
		err = errors.Join(err, failed)
	}
	_, failed := client.Register(ctx, "side.counter", counters, coagent.WithIdle(time.Minute))
	return errors.Join(err, failed)
}

func call(ctx context.Context, client *coagent.Client) error {
	value, err := client.Call(ctx, "side.upper", "hello")
	if err != nil {
		return err
	}
	fmt.Println("called:", value.Text())
	for word, err := range client.Stream(ctx, "side.words", "one two") {
		if err != nil {
			return err
		}
		fmt.Println("streamed:", word.Text())
	}
	listed, err := client.Call(ctx, "side.words", "one two", coagent.CollectList)
	if err != nil {
		return err
	}
	fmt.Println("listed:", len(listed.Messages))
	exchange, err := client.Open(ctx, "side.mirror", nil)
	if err != nil {
		return err
	}
	defer exchange.Close()
	err = exchange.Send(ctx, "a")
	err = errors.Join(err, exchange.End(ctx))
	if err != nil {
		return err
	}
	for message, err := range exchange.Messages() {
		if err != nil {
			return err
		}
		fmt.Println("both ways:", message.Text())
	}
	greeting, err := client.Call(ctx, "side.hello", "ann")
	if err != nil {
		return err
	}
	fmt.Println("context:", greeting.Text())
	return nil
}

func told(what string, replies iter.Seq2[*coagent.Message, error]) error {
	for message, err := range replies {
		if err != nil {
			return err
		}
		fmt.Println(what, message.Text())
	}
	return nil
}

func delegate(ctx context.Context, client *coagent.Client) error {
	if err := told("spliced:", client.Stream(ctx, "side.report", "one two")); err != nil {
		return err
	}
	loud, err := client.Call(ctx, "side.front", "hello")
	if err != nil {
		return err
	}
	fmt.Println("handed over:", loud.Text())
	return nil
}

func converse(ctx context.Context, client *coagent.Client) error {
	err := client.Send(ctx, "side.counter:ann", 2, coagent.WithType("add"))
	if err != nil {
		return err
	}
	typed := coagent.WithType("add")
	total, err := coagent.CallAs[int](ctx, client, "side.counter:ann", 3, typed)
	if err != nil {
		return err
	}
	fmt.Println("session:", total)
	for thought, err := range client.Stream(ctx, "side.thinker:ann", "why") {
		if err != nil {
			return err
		}
		fmt.Println("interrupted:", thought.Text())
		if thought.Text() == "thinking" {
			err = client.Interrupt(ctx, "side.thinker:ann", "be brief")
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func rerun(ctx context.Context, client *coagent.Client) error {
	reply, err := client.Start(ctx, "side.words", "one two", coagent.WithRun("side-1"))
	if err != nil {
		return err
	}
	if err := told("run:", reply.Messages()); err != nil {
		return err
	}
	reply, err = client.Attach(ctx, "side-1")
	if err != nil {
		return err
	}
	return told("attached:", reply.Messages())
}

func look(ctx context.Context, client *coagent.Client) error {
	cards, err := client.Discover(ctx, "side", coagent.Detailed())
	if err != nil {
		return err
	}
	fmt.Println("discovered:", len(cards), cards[1].Name, cards[1].Operations[0].Name)
	for change, err := range client.Watch(ctx, "side") {
		if err != nil {
			return err
		}
		fmt.Println("watched:", len(change.Registered), change.IsSnapshot)
		break
	}
	news, err := client.Subscribe(ctx, "side.>")
	if err != nil {
		return err
	}
	err = client.Publish(ctx, "side.news", "rain")
	if err != nil {
		return err
	}
	for each, err := range news.Messages(ctx) {
		if err != nil {
			return err
		}
		fmt.Println("published:", each.Topic, each.Text())
		break
	}
	return nil
}

func fail(ctx context.Context, client *coagent.Client) {
	_, err := client.Call(ctx, "side.nobody", nil)
	var failed *coagent.Error
	if errors.Is(err, coagent.ErrNotFound) && errors.As(err, &failed) {
		fmt.Println("error:", failed.Code, failed.Reason)
	}
	_, err = client.Call(ctx, "side.refuse", "x")
	if errors.As(err, &failed) {
		fmt.Println("error:", failed.Code, failed.Reason)
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err = client.Call(short, "side.busy", nil)
	if errors.As(err, &failed) {
		fmt.Println("late:", failed.Code)
	}
	leaving, leave := context.WithCancel(ctx)
	leave()
	_, err = client.Call(leaving, "side.busy", nil)
	if errors.Is(err, context.Canceled) {
		fmt.Println("cancelled")
	}
}

func tell(ctx context.Context) error {
	client, err := coagent.Connect(ctx, "", coagent.WithName("side-by-side"))
	if err != nil {
		return err
	}
	defer client.Close()
	type step = func(context.Context, *coagent.Client) error
	for _, step := range []step{register, call, delegate, converse, rerun, look} {
		if err := step(ctx, client); err != nil {
			return err
		}
	}
	fail(ctx, client)
	return client.Drain(ctx)
}

func main() {
	if err := tell(context.Background()); err != nil {
		log.Fatal(err)
	}
}
