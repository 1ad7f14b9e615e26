package coagent_test

import (
	"context"
	"fmt"
	"iter"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
	"github.com/coagent/coagent/clients/go/coagenttest"
	"github.com/coagent/coagent/clients/go/local"
)

// counting is an agent that streams numbers, each when it is let to.
func counting(steps <-chan struct{}) coagent.Agent {
	return coagent.StreamFunc(func(ctx context.Context, count int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for n := range count {
				select {
				case <-steps:
				case <-ctx.Done():
					yield(0, context.Cause(ctx))
					return
				}
				if !yield(n, nil) {
					return
				}
			}
		}
	})
}

func TestARunLosesAndDoublesNothingOverCutConnections(t *testing.T) {
	client, _ := withDaemon(t)
	steps := make(chan struct{})
	register(t, client, "count", counting(steps))
	relay := newRelay(t, client.URL())
	caller := coagenttest.Connect(t, relay.url, quiet())
	const count = 200
	reply := must(caller.Start(within(t), "count", count, coagent.WithRun("job"),
		coagent.WithWindow(2000)))(t)
	go func() {
		for n := range count {
			steps <- struct{}{}
			if n%17 == 5 {
				relay.cut()
			}
		}
	}()
	n := 0
	for message, err := range reply.Messages() {
		if err != nil {
			t.Fatal(n, err)
		}
		equal(t, message.Text(), fmt.Sprint(n))
		n++
	}
	equal(t, n, count)
}

func TestManyReadARunEarlyAndLate(t *testing.T) {
	client, ctx := withDaemon(t)
	steps := make(chan struct{}, 100)
	register(t, client, "count", counting(steps))
	caller := coagenttest.Connect(t, client.URL(), quiet())
	reply := must(caller.Start(ctx, "count", 6, coagent.WithRun("job"), coagent.Detach()))(t)
	for range 3 {
		steps <- struct{}{}
		next(t, reply)
	}
	early := must(client.Attach(ctx, "job"))(t)
	late := must(client.Attach(ctx, "job", coagent.From(2)))(t)
	tail := must(client.Attach(ctx, "job", coagent.Tail()))(t)
	equal(t, next(t, early), "0")
	equal(t, next(t, late), "2")
	card := must(client.DescribeRun(ctx, "job"))(t)
	equal(t, fmt.Sprint(card.Name, card.To, card.State, card.Frames, card.IsDetached),
		"jobcountrunning3 true")
	reply.Close() // It goes on.
	for range 3 {
		steps <- struct{}{}
	}
	for reader, wanted := range map[*coagent.Reply]int{early: 5, late: 3, tail: 3} {
		equal(t, len(must(reader.Value(ctx))(t).Messages), wanted)
	}
	cards := must(client.Runs(ctx, coagent.InState("ended")))(t)
	equal(t, len(cards), 1)
	equal(t, cards[0].State, "ended")
	again := must(caller.Call(ctx, "count", 6, coagent.WithRun("job"), coagent.CollectLast))(t)
	equal(t, again.Text(), "5") // It is not made again, but read.
	_, err := caller.Call(ctx, "count", 7, coagent.WithRun("job"))
	failsWith(t, err, coagent.AlreadyExists, "run_differs")
	_, err = must(client.Attach(ctx, "none"))(t).Next(ctx)
	failsWith(t, err, coagent.NotFound, "unknown_run")
}

func TestARunIsInterruptedAndCancelledByItsName(t *testing.T) {
	caller, ctx, _ := thinking(t)
	reply := must(caller.Start(ctx, "thinker", "?", coagent.WithRun("t1")))(t)
	equal(t, next(t, reply), "thinking")
	if err := caller.InterruptRun(ctx, "t1", "be brief"); err != nil {
		t.Fatal(err)
	}
	equal(t, next(t, reply), "in short: BE BRIEF")
	second := must(caller.Start(ctx, "thinker", "?", coagent.WithRun("t2")))(t)
	equal(t, next(t, second), "thinking")
	if err := caller.CancelRun(ctx, "t2"); err != nil {
		t.Fatal(err)
	}
	_, err := second.Next(ctx)
	failsWith(t, err, coagent.Cancelled, "cancelled")
	failsWith(t, caller.InterruptRun(ctx, "t2", nil), coagent.FailedPrecondition, "not_running")
	failsWith(t, caller.CancelRun(ctx, "none"), coagent.NotFound, "unknown_run")
}

func TestARunOfALifeThatIsOverWasLost(t *testing.T) {
	first, ctx := withDaemon(t)
	second := must(local.Start(ctx))(t)
	t.Cleanup(func() {
		if err := second.Close(); err != nil {
			t.Error(err)
		}
	})
	relay := newRelay(t, first.URL())
	caller := coagenttest.Connect(t, relay.url, quiet())
	register(t, first, "count", counting(make(chan struct{})))
	reply := must(caller.Start(ctx, "count", 1, coagent.WithRun("job")))(t)
	must(caller.DescribeRun(ctx, "job"))(t)
	relay.lead(second.URL())
	relay.cut()
	_, err := reply.Next(ctx)
	failsWith(t, err, coagent.Unavailable, "connection_lost")
}
