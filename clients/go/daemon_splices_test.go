package coagent_test

import (
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

// meeting has agents that wait for one another: they end only if they are at work at once.
type meeting struct {
	here sync.WaitGroup
}

func newMeeting(count int) *meeting {
	m := &meeting{}
	m.here.Add(count)
	return m
}

// says streams texts, the first once all who meet are there.
func says(m *meeting, texts ...string) coagent.Agent {
	return coagent.StreamFunc(func(context.Context, struct{}) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			if m != nil {
				m.here.Done()
				m.here.Wait()
			}
			for _, text := range texts {
				if !yield(text, nil) {
					return
				}
			}
		}
	})
}

// weaves streams what it is told to: a text as it is, a name of an agent as a delegated call, all
// of which are begun first.
func weaves(parts ...any) coagent.Agent {
	return coagent.StreamFunc(func(ctx context.Context, _ struct{}) iter.Seq2[any, error] {
		return func(yield func(any, error) bool) {
			request, _ := coagent.FromContext(ctx)
			for i, part := range parts {
				to, isAgent := part.(agentName)
				if !isAgent {
					continue
				}
				d, err := request.Delegate(ctx, string(to), nil)
				if err != nil {
					yield(nil, err)
					return
				}
				parts[i] = d
			}
			for _, part := range parts {
				if !yield(part, nil) {
					return
				}
			}
		}
	})
}

type agentName string

// heard are the texts of a reply, with an error at a position as its reason in brackets.
func heard(t *testing.T, client *coagent.Client, to string, body any) string {
	t.Helper()
	var all []string
	for message, err := range client.Stream(within(t), to, body) {
		var failed *coagent.Error
		switch {
		case err == nil:
			all = append(all, message.Text())
		case message == nil || !errors.As(err, &failed):
			t.Fatal(err)
		default:
			all = append(all, "["+failed.Reason+"]")
		}
	}
	return strings.Join(all, " ")
}

// below are three connections: of the caller, of those who delegate, of those they delegate to.
func below(t *testing.T) (caller, above, other *coagent.Client) {
	t.Helper()
	caller, _ = withDaemon(t)
	above = coagenttest.Connect(t, caller.URL(), quiet())
	return caller, above, coagenttest.Connect(t, caller.URL(), quiet())
}

func TestDelegatedRepliesStandInTheirPlacesWhileAllWork(t *testing.T) {
	caller, above, other := below(t)
	m := newMeeting(2)
	register(t, other, "agent1", says(m, "m1", "m2"))
	register(t, other, "agent2", says(m, "m3"))
	register(t, above, "outer", weaves("A1", agentName("agent1"), agentName("agent2"), "A2"))
	equal(t, heard(t, caller, "outer", nil), "A1 m1 m2 m3 A2")
}

func TestWhatIsOutOfOrderOvertakesWhatIsHeld(t *testing.T) {
	caller, above, other := below(t)
	leave := make(chan struct{})
	register(t, other, "slow", coagent.Func(func(context.Context, struct{}) (string, error) {
		<-leave
		return "slow", nil
	}))
	register(t, other, "quick", says(nil, "quick"))
	register(t, above, "outer", coagent.Handler(
		func(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
			slow, err := request.Delegate(ctx, "slow", nil)
			quick, failed := request.Delegate(ctx, "quick", nil)
			return errors.Join(err, failed, out.Send(ctx, slow), out.Send(ctx, "after-slow"),
				out.Send(ctx, coagent.OutOfOrder("urgent")), out.Send(ctx, coagent.OutOfOrder(quick)))
		}))
	reply := must(caller.Start(within(t), "outer", nil))(t)
	early := map[string]bool{next(t, reply): true, next(t, reply): true}
	equal(t, early["urgent"] && early["quick"], true)
	close(leave)
	equal(t, next(t, reply)+" "+next(t, reply), "slow after-slow")
}

func TestAnErrorOfADelegatedReplyStandsAtItsPlace(t *testing.T) {
	caller, above, other := below(t)
	register(t, other, "bad", coagent.StreamFunc(
		func(context.Context, struct{}) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				_ = yield("one", nil) && yield("", coagent.Errorf(coagent.Aborted, "torn", "x"))
			}
		}))
	register(t, above, "outer", weaves(agentName("bad"), "two", agentName("nobody"), "three"))
	equal(t, heard(t, caller, "outer", nil), "one [torn] two [unknown_agent] three")
}

func TestAHandoffGoesOnWithoutTheDelegator(t *testing.T) {
	caller, above, other := below(t)
	leave := make(chan struct{})
	register(t, other, "back", coagent.Func(func(_ context.Context, text string) (string, error) {
		<-leave
		return strings.ToUpper(text), nil
	}))
	front := func(ctx context.Context, text string) (*coagent.Delegated, error) {
		request, _ := coagent.FromContext(ctx)
		return request.Delegate(ctx, "back", text)
	}
	register(t, above, "front", coagent.Sessions(
		func(context.Context) (*steered, error) { return &steered{}, nil },
		coagent.Operation("front", func(_ *steered, ctx context.Context, text string) (
			*coagent.Delegated, error) {
			return front(ctx, text)
		})))
	first := must(caller.Start(within(t), "front:s", "one"))(t)
	second := must(caller.Start(within(t), "front:s", "two"))(t) // Its session's place is free.
	must(caller.Call(within(t), "discovery", nil, coagent.WithType("DiscoveryQuery")))(t)
	close(leave)
	equal(t, next(t, second), "TWO")
	equal(t, next(t, first), "ONE")
	_, err := caller.Call(within(t), "front", []byte("not a text"))
	failsWith(t, err, coagent.InvalidArgument, "bad_content")
}

func TestALongReplyThroughThreeDelegatorsWaitsForItsReader(t *testing.T) {
	caller, above, other := below(t)
	const count, size = 2000, 1000
	sent := make(chan int, 1)
	register(t, other, "source", coagent.StreamFunc(
		func(context.Context, struct{}) iter.Seq2[[]byte, error] {
			return func(yield func([]byte, error) bool) {
				n := 0
				defer func() { sent <- n }()
				for ; n < count && yield([]byte(fmt.Sprintf("%*d", size, n)), nil); n++ {
				}
			}
		}))
	register(t, above, "third", weaves(agentName("source")))
	register(t, other, "second", weaves(agentName("third")))
	register(t, above, "first", weaves(agentName("second")))
	n := 0
	for message, err := range caller.Stream(within(t), "first", nil, coagent.WithWindow(10_000)) {
		if err != nil {
			t.Fatal(err)
		}
		equal(t, string(message.Content), fmt.Sprintf("%*d", size, n))
		n++
	}
	equal(t, n, count)
	equal(t, await(t, sent), count)
	register(t, above, "again", weaves(agentName("source")))
	for _, err := range caller.Stream(within(t), "again", nil, coagent.WithWindow(10_000)) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if stopped := await(t, sent); stopped > 200 {
		t.Errorf("%d were sent to who read one", stopped)
	}
}

func TestHandingOverInACircleEnds(t *testing.T) {
	caller, above, _ := below(t)
	circle := func(to string) coagent.Agent {
		return coagent.Func(func(ctx context.Context, _ struct{}) (*coagent.Delegated, error) {
			request, _ := coagent.FromContext(ctx)
			return request.Delegate(ctx, to, nil)
		})
	}
	register(t, above, "a", circle("b"))
	register(t, above, "b", circle("a"))
	_, err := caller.Call(within(t), "a", nil)
	failed := failsWith(t, err, coagent.FailedPrecondition, "call_depth")
	if path, _ := failed.Details["path"].(string); !strings.Contains(path, "a b a b") {
		t.Error(path)
	}
}

func TestAnInterruptReachesWhomACallWasHandedOverTo(t *testing.T) {
	caller, above, other := below(t)
	register(t, above, "upper", coagent.Func(upper))
	register(t, above, "forever", coagent.Handler(
		func(ctx context.Context, _ *coagent.Request, _ *coagent.Sender) error {
			<-ctx.Done()
			return ctx.Err()
		}))
	register(t, other, "thinker", coagent.Handler(think))
	register(t, above, "front", coagent.Func(
		func(ctx context.Context, text string) (*coagent.Delegated, error) {
			request, _ := coagent.FromContext(ctx)
			return request.Delegate(ctx, "thinker", text)
		}))
	reply := must(caller.Start(within(t), "front", "?", coagent.WithRun("job")))(t)
	equal(t, next(t, reply), "thinking")
	if err := reply.Interrupt(within(t), "be brief"); err != nil {
		t.Fatal(err)
	}
	equal(t, next(t, reply), "in short: BE BRIEF")
}
