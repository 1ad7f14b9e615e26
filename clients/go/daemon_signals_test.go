package coagent_test

import (
	"context"
	"errors"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
	"github.com/coagent/coagent/clients/go/coagenttest"
)

// think says that it thinks, and goes on until it is interrupted; then it says so, with a word of
// another agent.
func think(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
	if err := out.Send(ctx, "thinking"); err != nil {
		return err
	}
	_, err := request.Client().Call(ctx, "forever", nil)
	var interrupted *coagent.Interrupted
	if !errors.As(err, &interrupted) {
		return err
	}
	loud, err := request.Client().Call(request.Uninterrupted(), "upper", interrupted.Text())
	if err != nil {
		return err
	}
	return out.SendLast(ctx, "in short: "+loud.Text())
}

// thinking is a sidecar with a thinker; who calls it, and what ends the children of its calls.
func thinking(t *testing.T) (*coagent.Client, context.Context, chan error) {
	t.Helper()
	client, ctx := withDaemon(t)
	ended := make(chan error, 9)
	register(t, client, "upper", coagent.Func(upper))
	register(t, client, "forever", coagent.Func(
		func(ctx context.Context, _ struct{}) (any, error) {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return nil, ctx.Err()
		}))
	register(t, client, "thinker", coagent.Handler(think))
	return coagenttest.Connect(t, client.URL(), quiet()), ctx, ended
}

func next(t *testing.T, reply *coagent.Reply) string {
	t.Helper()
	return must(reply.Next(within(t)))(t).Text()
}

func TestAnInterruptReachesTheRightOneOfTwo(t *testing.T) {
	caller, ctx, ended := thinking(t)
	ann := must(caller.Start(ctx, "thinker:ann", "?"))(t)
	bob := must(caller.Start(ctx, "thinker:bob", "?"))(t)
	plain := must(caller.Start(ctx, "thinker", "?"))(t)
	for _, reply := range []*coagent.Reply{ann, bob, plain} {
		equal(t, next(t, reply), "thinking")
	}
	if err := caller.Interrupt(ctx, "thinker:ann", "be brief"); err != nil {
		t.Fatal(err)
	}
	equal(t, next(t, ann), "in short: BE BRIEF")
	failsWith(t, await(t, ended), coagent.Cancelled, "cancelled")
	if err := plain.Interrupt(ctx, "you too"); err != nil {
		t.Fatal(err)
	}
	equal(t, next(t, plain), "in short: YOU TOO")
	if err := caller.Cancel(ctx, "thinker:bob"); err != nil {
		t.Fatal(err)
	}
	_, err := bob.Next(ctx)
	failsWith(t, err, coagent.Cancelled, "cancelled")
	failsWith(t, caller.Interrupt(ctx, "thinker:eve", nil), coagent.NotFound, "unknown_session")
	failsWith(t, caller.Interrupt(ctx, "thinker:ann", nil), coagent.FailedPrecondition,
		"not_running")
	failsWith(t, caller.Signal(ctx, "thinker", "steer.note", 1), coagent.Unimplemented,
		"unhandled_signal")
	failsWith(t, caller.Signal(ctx, "thinker", "odd", 1), coagent.InvalidArgument, "bad_signal")
}

func TestAPausedSessionGetsNothingUntilItIsResumed(t *testing.T) {
	client, ctx := withDaemon(t)
	register(t, client, "counter", coagent.Sessions(
		func(context.Context) (*tally, error) { return &tally{}, nil },
		coagent.Operation("add", (*tally).Add)))
	equal(t, must(coagent.CallAs[int](ctx, client, "counter:s", 1))(t), 1)
	if err := client.Pause(ctx, "counter:s"); err != nil {
		t.Fatal(err)
	}
	if err := client.Send(ctx, "counter:s", 2); err != nil {
		t.Fatal(err)
	}
	waiting := must(client.Start(ctx, "counter:s", 3))(t)
	equal(t, must(coagent.CallAs[int](ctx, client, "counter:t", 1))(t), 1)
	equal(t, sessionState(t, client, "counter:s"), "paused")
	if err := client.Resume(ctx, "counter:s"); err != nil {
		t.Fatal(err)
	}
	equal(t, next(t, waiting), "6")
}

func sessionState(t *testing.T, client *coagent.Client, address string) string {
	t.Helper()
	session := must(coagent.CallAs[struct {
		State string `json:"state"`
	}](within(t), client, "sessions", fields{"address": address},
		coagent.WithType("SessionDescribe")))(t)
	return session.State
}

func TestAnAgentsOwnSignalsReachItsInstances(t *testing.T) {
	client, ctx := withDaemon(t)
	s := &steered{told: make(chan string, 9), leave: make(chan struct{})}
	register(t, client, "room", coagent.Sessions(
		func(context.Context) (*steered, error) { return s, nil },
		coagent.Operation("work", (*steered).Work)))
	caller := coagenttest.Connect(t, client.URL(), quiet())
	working := must(caller.Start(ctx, "room:ann", nil))(t)
	for n, signal := range []func() error{
		func() error { return working.Signal(ctx, "steer.note", "by call") },
		func() error { return caller.Signal(ctx, "room:ann", "steer.note", "to a session") },
		func() error { return caller.Signal(ctx, "room", "steer.note", "to a name") },
		func() error { return working.Interrupt(ctx, "hm") },
	} {
		if err := signal(); err != nil {
			t.Fatal(n, err)
		}
	}
	equal(t, await(t, s.told), "steer.note by call  true")
	equal(t, await(t, s.told), "steer.note to a session  false")
	equal(t, await(t, s.told), "steer.note to a name  false")
	equal(t, await(t, s.told), "interrupted: hm")
	failsWith(t, caller.Signal(ctx, "room:ann", "steer.refused", nil), coagent.Aborted, "not_now")
	close(s.leave)
	equal(t, next(t, working), "done")
}
