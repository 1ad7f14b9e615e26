package coagent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
	"github.com/coagent/coagent/clients/go/coagenttest"
)

// withDaemon is a client of a real coagentd of its own.
func withDaemon(t *testing.T) (*coagent.Client, context.Context) {
	t.Helper()
	noLeaks(t)
	return coagenttest.Local(t, quiet()), within(t)
}

func register(t *testing.T, client *coagent.Client, name string, agent coagent.Agent) {
	t.Helper()
	must(client.Register(within(t), name, agent))(t)
}

func shout(_ context.Context, text string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, word := range strings.Fields(text) {
			if !yield(strings.ToUpper(word), nil) {
				return
			}
		}
	}
}

func TestAnAgentIsFoundCalledAndStreamed(t *testing.T) {
	client, ctx := withDaemon(t)
	register(t, client, "demo.shout", coagent.StreamFunc(shout))
	other := coagenttest.Connect(t, client.URL(), quiet())
	cards := must(other.Discover(ctx, "demo", coagent.Detailed()))(t)
	equal(t, fmt.Sprint(cards[0].Name, cards[0].Replicas, cards[0].Operations[0].Streaming),
		"demo.shout1 true")
	equal(t, must(other.Call(ctx, "demo.shout", "hello world"))(t).Text(), "HELLOWORLD")
	var words []string
	for word, err := range coagent.StreamAs[string](ctx, other, "demo.shout", "one two") {
		if err != nil {
			t.Fatal(err)
		}
		words = append(words, word)
	}
	equal(t, strings.Join(words, " "), "ONE TWO")
	_, err := other.Call(ctx, "demo.missing", nil)
	failsWith(t, err, coagent.NotFound, "unknown_agent")
}

func TestLargeAndBinaryContentsCrossUnchanged(t *testing.T) {
	client, ctx := withDaemon(t)
	other := coagenttest.Connect(t, client.URL(), quiet())
	register(t, client, "echo", coagent.Func(
		func(_ context.Context, message coagent.Message) (coagent.Message, error) {
			return message, nil
		}))
	for _, size := range []int{0, 1, 65_536, 65_537, 1 << 20, 8<<20 + 1, 17 << 20} {
		content := bytes.Repeat([]byte{0, 1, 254, 255, 13}, size/5+1)[:size]
		answered := must(other.Call(ctx, "echo", content))(t)
		if !bytes.Equal(answered.Bytes(), content) {
			t.Errorf("%d bytes came back as %d", size, len(answered.Bytes()))
		}
	}
}

func TestBothDirectionsAtOnce(t *testing.T) {
	client, ctx := withDaemon(t)
	other := coagenttest.Connect(t, client.URL(), quiet())
	register(t, client, "mirror", coagent.Handler(echoAll))
	exchange := must(other.Open(ctx, "mirror", "first"))(t)
	const count = 2000
	sending := begin(func() (int, error) {
		for n := range count {
			if err := exchange.Send(ctx, strings.Repeat("x", n)); err != nil {
				return 0, err
			}
		}
		return 0, exchange.End(ctx)
	})
	value := must(exchange.Value(ctx))(t)
	sending.ok(t)
	equal(t, len(value.Messages), count+1)
	equal(t, len(value.Messages[count].Content), count-1)
}

func TestAgentsCallAgentsUntilTheFirstCallerLeaves(t *testing.T) {
	client, ctx := withDaemon(t)
	ended := make(chan error, 1)
	register(t, client, "last", coagent.Handler(
		func(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
			left, hasLeft := request.TimeLeft()
			told := fmt.Sprint(request.Sender(), " ", request.Trace(), " ", request.Ext()["k"], " ",
				hasLeft && left > 0)
			if err := out.Send(ctx, told); err != nil {
				return err
			}
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return ctx.Err()
		}))
	for name, next := range map[string]string{"first": "middle", "middle": "last"} {
		register(t, client, name, coagent.Handler(
			func(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
				return out.Forward(ctx, next, nil)
			}))
	}
	caller := coagenttest.Connect(t, client.URL(), quiet())
	for message, err := range caller.Stream(ctx, "first", nil, coagent.WithTrace("00-1-2-01"),
		coagent.WithExt(fields{"k": 7})) {
		if err != nil {
			t.Fatal(err)
		}
		equal(t, message.Text(), "middle 00-1-2-01 7 true")
		break
	}
	failsWith(t, await(t, ended), coagent.Cancelled, "parent_ended")
}

func TestErrorsCrossWithTheirCauses(t *testing.T) {
	client, ctx := withDaemon(t)
	other := coagenttest.Connect(t, client.URL(), quiet())
	register(t, client, "prices", coagent.Func(func(_ context.Context, fruit string) (int, error) {
		return 0, fmt.Errorf("no price for %s: %w", fruit, errors.New("unknown fruit"))
	}))
	_, err := other.Call(ctx, "prices", "pear")
	failed := failsWith(t, err, coagent.Internal, "agent_error")
	equal(t, failed.Message, "no price for pear: unknown fruit")
	var cause *coagent.RemoteCause
	if !errors.As(err, &cause) || cause.Error() != "errors.errorString: unknown fruit" {
		t.Error(cause)
	}
}

func TestSessionsKeepTheirOrderUnderLoad(t *testing.T) {
	client, ctx := withDaemon(t)
	other := coagenttest.Connect(t, client.URL(), quiet())
	register(t, client, "counter", coagent.Sessions(
		func(context.Context) (*tally, error) { return &tally{}, nil },
		coagent.Operation("add", (*tally).Add)))
	var all sync.WaitGroup
	for n := range 50 {
		all.Add(1)
		go func() {
			defer all.Done()
			for wanted := 1; wanted <= 20; wanted++ {
				total, err := coagent.CallAs[int](ctx, other, fmt.Sprint("counter:s", n), 1)
				if err != nil || total != wanted {
					t.Error(total, wanted, err)
					return
				}
			}
		}()
	}
	all.Wait()
}

type tally struct{ total int }

func (s *tally) Add(_ context.Context, n int) (int, error) {
	s.total += n
	return s.total, nil
}

func TestManyCallsAtOnceFromManyGoroutines(t *testing.T) {
	client, ctx := withDaemon(t)
	other := coagenttest.Connect(t, client.URL(), quiet())
	register(t, client, "echo", coagent.Func(upper))
	var all sync.WaitGroup
	for n := range 64 {
		all.Add(1)
		go func() {
			defer all.Done()
			for m := range 50 {
				text := fmt.Sprint("x", n, "-", m)
				value, err := other.Call(ctx, "echo", text)
				if err != nil || value.Text() != strings.ToUpper(text) {
					t.Error(err)
					return
				}
			}
		}()
	}
	all.Wait()
}

func TestAStreamThatIsLeftStopsItsProducer(t *testing.T) {
	client, ctx := withDaemon(t)
	other := coagenttest.Connect(t, client.URL(), quiet())
	stopped := make(chan int, 1)
	register(t, client, "numbers", coagent.StreamFunc(
		func(_ context.Context, _ struct{}) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				n := 0
				for yield(n, nil) {
					n++
				}
				stopped <- n
			}
		}))
	seen := 0
	for _, err := range other.Stream(ctx, "numbers", nil, coagent.WithWindow(10_000)) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 10 {
			break
		}
	}
	if n := await(t, stopped); n > 10_000 {
		t.Errorf("%d were sent for 10", n)
	}
}

func TestAWatchSeesAgentsComeAndGo(t *testing.T) {
	client, ctx := withDaemon(t)
	other := coagenttest.Connect(t, client.URL(), quiet())
	var registration *coagent.Registration
	step := 0
	for change, err := range other.Watch(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		switch step++; step {
		case 1:
			equal(t, change.IsSnapshot && len(change.Registered) == 0, true)
			registration = must(client.Register(ctx, "new", coagent.Func(upper)))(t)
		case 2:
			equal(t, change.Registered[0].Name, "new")
			if err := registration.Close(); err != nil {
				t.Fatal(err)
			}
		case 3:
			equal(t, change.Deregistered[0], "new")
			return
		}
	}
}

func TestADrainingReplicaLosesNoCall(t *testing.T) {
	caller, ctx := withDaemon(t)
	stays := coagenttest.Connect(t, caller.URL(), quiet())
	register(t, stays, "work", coagent.Func(upper))
	leave := make(chan struct{})
	var all sync.WaitGroup
	for range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for {
				if _, err := caller.Call(ctx, "work", "x"); err != nil {
					t.Error(err)
					return
				}
				select {
				case <-leave:
					return
				default:
				}
			}
		}()
	}
	for range 20 {
		leaves := coagenttest.Connect(t, caller.URL(), quiet())
		served := make(chan struct{}, 1)
		register(t, leaves, "work", coagent.Func(func(_ context.Context, x string) (string, error) {
			select {
			case served <- struct{}{}:
			default:
			}
			return x, nil
		}))
		await(t, served)
		if err := leaves.Drain(ctx); err != nil {
			t.Error(err)
		}
	}
	close(leave)
	all.Wait()
}
