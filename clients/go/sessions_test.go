package coagent_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
)

// counter is an agent with a state, which tells of its life.
type counter struct {
	name  string
	total int
	lives chan string
}

func (c *counter) Add(_ context.Context, number int) (int, error) {
	c.total += number
	return c.total, nil
}

func (c *counter) CountUp(_ context.Context, last int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for n := 1; n <= last && yield(n, nil); n++ {
		}
	}
}

func (c *counter) Talk(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
	return out.SendLast(ctx, c.name+" "+request.Text())
}

func (c *counter) Closed(reason string) { c.lives <- c.name + " " + reason }

func counters(lives chan string, fail *error) coagent.Agent {
	made := 0
	return coagent.Sessions(
		func(ctx context.Context) (*counter, error) {
			if fail != nil && *fail != nil {
				return nil, *fail
			}
			made++
			request, _ := coagent.FromContext(ctx)
			c := &counter{name: fmt.Sprintf("%d@%s", made, request.Session()), lives: lives}
			lives <- c.name
			return c, nil
		},
		coagent.Operation("add", (*counter).Add).Described("Adds to the total"),
		coagent.StreamOperation("count_up", (*counter).CountUp),
		coagent.HandlerOperation("talk", (*counter).Talk))
}

func typed(kind string) fields { return fields{"type": kind} }

func TestASessionIsAnInstance(t *testing.T) {
	lives := make(chan string, 10)
	p := hosted(t, counters(lives, nil))
	for _, each := range []struct{ to, total string }{
		{"a:ann", "2"}, {"a:ann", "4"}, {"a:bob", "2"}, {"a:ann", "6"},
	} {
		p.call(each.to, "2", typed("add"))
		equal(t, string(p.next("data").content), each.total)
	}
	equal(t, await(t, lives)+await(t, lives), "1@ann2@bob")
	p.call("a:bob", "3", typed("count_up"))
	for n := 1; n <= 3; n++ {
		equal(t, string(p.next("data").content), fmt.Sprint(n))
	}
	p.next("data")
	p.call("a:bob", "hi", typed("talk"), asText)
	equal(t, string(p.next("data").content), "2@bob hi")
	equal(t, len(lives), 0)
}

func TestASessionThatIsClosedIsFreedFirst(t *testing.T) {
	lives := make(chan string, 10)
	p := hosted(t, counters(lives, nil))
	p.call("a:ann", "2", typed("add"))
	p.next("data")
	await(t, lives)
	p.lastID += 2
	p.send(fields{"op": "close", "id": p.lastID, "to": "a:ann", "reason": "idle"}, "")
	p.is(p.next("ok"), fields{"op": "ok", "id": p.lastID})
	equal(t, await(t, lives), "1@ann idle")
	p.lastID += 2
	p.send(fields{"op": "close", "id": p.lastID, "to": "a:nobody", "reason": "idle"}, "")
	p.is(p.next("ok"), fields{"op": "ok", "id": p.lastID})
	p.call("a:ann", "5", typed("add"), fields{"new": true})
	equal(t, string(p.next("data").content), "5")
}

func TestANewSessionReplacesWhatIsStillHere(t *testing.T) {
	lives := make(chan string, 10)
	p := hosted(t, counters(lives, nil))
	p.call("a:ann", "2", typed("add"))
	p.next("data")
	p.call("a:ann", "3", typed("add"), fields{"new": true})
	equal(t, string(p.next("data").content), "3")
	seen := map[string]bool{await(t, lives): true, await(t, lives): true, await(t, lives): true}
	equal(t, seen["1@ann"] && seen["2@ann"] && seen["1@ann replaced"], true)
}

func TestACallWithoutSessionHasAnInstanceOfItsOwn(t *testing.T) {
	lives := make(chan string, 10)
	p := hosted(t, counters(lives, nil))
	for n := 1; n <= 2; n++ {
		p.call("a", "2", typed("add"))
		equal(t, string(p.next("data").content), "2")
		equal(t, await(t, lives), fmt.Sprintf("%d@", n))
		equal(t, await(t, lives), fmt.Sprintf("%d@ ended", n))
	}
}

func TestAnInstanceThatCannotBeMadeIsTriedAgain(t *testing.T) {
	lives := make(chan string, 10)
	fail := errors.New("no database")
	p := hosted(t, counters(lives, &fail))
	p.call("a:ann", "2", typed("add"), fields{"new": true})
	failed := p.next("error")
	equal(t, failed.text("code")+"/"+failed.text("reason"), "internal/activation_failed")
	equal(t, failed.text("message"), "no database")
	fail = nil
	p.call("a:ann", "2", typed("add"))
	equal(t, string(p.next("data").content), "2")
}

func TestMessagesGoToTheOperationOfTheirType(t *testing.T) {
	lives := make(chan string, 10)
	p := hosted(t, counters(lives, nil))
	for _, kind := range []fields{{}, typed("sub")} {
		p.call("a:ann", "2", kind)
		failed := p.next("error")
		equal(t, failed.text("code")+"/"+failed.text("reason"), "unimplemented/unhandled_type")
		details, _ := failed.header["details"].(map[string]any)
		equal(t, details["operations"], any("add count_up talk"))
	}
	id := p.call("a:ann", "", fields{"input": true})
	p.data(id, "7", typed("add"))
	equal(t, string(p.next("data").content), "7")

	only := hosted(t, coagent.Sessions(
		func(context.Context) (*counter, error) { return &counter{lives: lives}, nil },
		coagent.Operation("add", (*counter).Add)))
	only.call("a:ann", "4")
	equal(t, string(only.next("data").content), "4")
	only.call("a:ann", "4", typed("Number"))
	equal(t, only.next("error").text("reason"), "unhandled_type")
}

func TestALostConnectionEndsItsSessions(t *testing.T) {
	f := newFakeSidecar(t)
	lives := make(chan string, 10)
	client, p := f.link()
	host(t, client, p, "a", counters(lives, nil))
	p.call("a:ann", "2", typed("add"))
	p.next("data")
	await(t, lives)
	_ = p.socket.Close()
	again := f.welcome()
	again.registered("a")
	equal(t, await(t, lives), "1@ann connection_lost")
	again.call("a:ann", "3", typed("add"), fields{"new": true})
	equal(t, string(again.next("data").content), "3")
}

func TestAHookThatPanicsHarmsNobody(t *testing.T) {
	p := hosted(t, coagent.Sessions(
		func(context.Context) (fragile, error) { return fragile{}, nil },
		coagent.Operation("add", fragile.Add)))
	p.call("a:ann", "2")
	p.next("data")
	p.lastID += 2
	p.send(fields{"op": "close", "id": p.lastID, "to": "a:ann", "reason": "idle"}, "")
	p.next("ok")
	p.nothing()
}

type fragile struct{}

func (fragile) Add(_ context.Context, n int) (int, error) { return n, nil }
func (fragile) Closed(string)                             { panic("fragile") }

func TestAgentsWithoutOperationsOrWithTwoOfANameAreRefused(t *testing.T) {
	client, p := linked(t)
	open := func(context.Context) (*counter, error) { return nil, nil }
	add := coagent.Operation("add", (*counter).Add)
	for _, agent := range []coagent.Agent{
		coagent.Sessions(open), coagent.Sessions(open, add, add),
		coagent.Sessions(open, coagent.Operation("", (*counter).Add)),
	} {
		_, err := client.Register(within(t), "a", agent)
		failsWith(t, err, coagent.InvalidArgument, "bad_content")
	}
	p.nothing()
}
