package coagent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

// attached is the next frame: a call that attaches, with this content.
func (p *peer) attached(wanted fields) got {
	p.t.Helper()
	call := p.next("call")
	equal(p.t, call.text("to")+" "+call.text("type"), "runs Attach")
	var content fields
	if err := json.Unmarshal(call.content, &content); err != nil {
		p.t.Fatal(err)
	}
	equal(p.t, fmt.Sprint(content), fmt.Sprint(wanted))
	return call
}

// lose ends the connection, and gives the next.
func (p *peer) lose(f *fakeSidecar) *peer {
	p.t.Helper()
	_ = p.socket.Close()
	return f.welcome()
}

func TestARunGoesOnByTheNextConnection(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	reply := must(client.Start(context.Background(), "a", nil, coagent.WithRun("r:1"),
		coagent.Detach()))(t)
	call := p.next("call")
	p.is(call, fields{"op": "call", "to": "a", "run": "r:1", "detach": true})
	p.data(call.id(), "1", asText)
	p.data(call.id(), "Dr", asText, fields{"part": true})
	p.fail(call.id(), "aborted", "torn", fields{"more": true})
	p.data(call.id(), "Drip", asText, fields{"part": true})
	p.nothing()
	p = p.lose(f)
	again := p.attached(fields{"run": "r:1", "from": 4, "resume": true})
	p.data(again.id(), "drop", fields{"end": true})
	var told []string
	for message, err := range reply.Messages() {
		if message == nil {
			t.Fatal(err)
		}
		told = append(told, message.Text())
	}
	equal(t, strings.Join(told, " "), "1  Dripdrop")
	p.nothing()
}

func TestARunIsResumedAgainAndAgain(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	calling := begin(func() (*coagent.Value, error) {
		return client.Call(within(t), "a", nil, coagent.WithRun("r"))
	})
	p.data(p.next("call").id(), "0", asText)
	p.nothing()
	for n := 1; n < 5; n++ {
		p = p.lose(f)
		again := p.attached(fields{"run": "r", "from": n, "resume": true})
		if left, _ := again.header["timeout_ms"].(float64); left < 1 {
			t.Error(left)
		}
		p.data(again.id(), fmt.Sprint(n), asText)
		p.nothing()
	}
	p = p.lose(f)
	p.data(p.next("call").id(), "", fields{"end": true})
	equal(t, calling.ok(t).Text(), "01234")
}

func TestAResumedReaderPermitsWhatItHasRoomFor(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	reply := must(client.Start(within(t), "a", nil, coagent.WithRun("r"), coagent.WithWindow(1)))(t)
	first := p.next("call").id()
	p.data(first, "0")
	p.nothing()
	p = p.lose(f)
	second := p.attached(fields{"run": "r", "from": 1, "resume": true})
	equal(t, second.header["window"], any(float64(1)))
	// What was read on the last connection pays for what the window of 1 is above what was left.
	equal(t, must(reply.Next(within(t)))(t).Text(), "0")
	p.nothing()
	p.data(second.id(), "1")
	equal(t, must(reply.Next(within(t)))(t).Text(), "1")
	p.is(p.next("credit"), fields{"op": "credit", "id": second.id(), "bytes": 257})
	reply.Close()
	p.is(p.next("cancel"), fields{"op": "cancel", "id": second.id()})
}

func TestARunThatTheSidecarForgotWasLost(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	reply := must(client.Start(within(t), "a", nil, coagent.WithRun("r")))(t)
	p.next("call")
	p = p.lose(f)
	again := p.attached(fields{"run": "r", "from": 0, "resume": true})
	p.fail(again.id(), "unavailable", "draining", fields{"retry": true}) // Repeated.
	again = p.attached(fields{"run": "r", "from": 0, "resume": true})
	p.fail(again.id(), "not_found", "unknown_run")
	_, err := reply.Next(within(t))
	equal(t, failsWith(t, err, coagent.Unavailable, "connection_lost").Address, "a")
}

func TestARunThatIsLeftBetweenConnectionsIsNotResumed(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	ctx, cancel := context.WithCancel(within(t))
	reply := must(client.Start(ctx, "a", nil, coagent.WithRun("r")))(t)
	late, stop := context.WithTimeout(within(t), time.Millisecond)
	defer stop()
	p.next("call")
	_ = p.socket.Close()
	p = f.accept() // It knows that the connection is lost.
	cancel()
	_, err := reply.Next(within(t))
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	failsWith(t, reply.Interrupt(within(t), nil), coagent.FailedPrecondition, "not_running")
	_, err = client.Call(late, "a", nil, coagent.WithRun("r"))
	failsWith(t, err, coagent.DeadlineExceeded, "deadline")
	p.greet()
	p.nothing()
}

func TestTheInputOfARunEndsWithItsConnection(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	exchange := must(client.Open(within(t), "a", "first", coagent.WithRun("r")))(t)
	p.next("call")
	p = p.lose(f)
	again := p.attached(fields{"run": "r", "from": 0, "resume": true})
	equal(t, again.header["input"], nil)
	failsWith(t, exchange.Send(within(t), "more"), coagent.Unavailable, "connection_lost")
	p.data(again.id(), "1", fields{"end": true})
	equal(t, must(exchange.Value(within(t)))(t).Text(), "1")
}

func TestARunEndsWithItsParentUnlessItIsDetached(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	kept, detached := make(chan error, 1), make(chan *coagent.Reply, 1)
	host(t, client, p, "a", coagent.Handler(
		func(ctx context.Context, _ *coagent.Request, _ *coagent.Sender) error {
			reply, err := client.Start(ctx, "b", nil, coagent.WithRun("r2"), coagent.Detach())
			if err != nil {
				return err
			}
			detached <- reply
			_, err = client.Call(ctx, "b", nil, coagent.WithRun("r1"))
			kept <- err
			return err
		}))
	p.call("a", "")
	p.next("call")
	p.next("call")
	p = p.lose(f)
	p.registered("a")
	if err := await(t, kept); !errors.Is(err, coagent.ErrUnavailable) &&
		!errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	again := p.attached(fields{"run": "r2", "from": 0, "resume": true})
	p.data(again.id(), "1", fields{"end": true})
	equal(t, must((await(t, detached)).Value(within(t)))(t).Text(), "1")
	p.nothing()
}

func TestAttachReadsFromWhereItIsAsked(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	ctx := within(t)
	reply := must(client.Attach(ctx, "r", coagent.From(7), coagent.WithWindow(600)))(t)
	call := p.attached(fields{"run": "r", "from": 7})
	equal(t, call.header["window"], any(float64(600)))
	p.data(call.id(), "7")
	p.nothing()
	p = p.lose(f)
	again := p.attached(fields{"run": "r", "from": 8})
	equal(t, again.header["window"], any(float64(600-257)))
	p.fail(again.id(), "failed_precondition", "truncated", fields{"details": fields{"first": 9}})
	equal(t, must(reply.Next(ctx))(t).Text(), "7")
	_, err := reply.Next(ctx)
	failed := failsWith(t, err, coagent.FailedPrecondition, "truncated")
	equal(t, failed.Details["first"], any(int64(9)))

	unknown := must(client.Attach(ctx, "none"))(t)
	p.fail(p.next("call").id(), "not_found", "unknown_run")
	_, err = unknown.Next(ctx)
	failsWith(t, err, coagent.NotFound, "unknown_run")
}

func TestATailThatHasReadSomethingEndsWithItsConnection(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	reply := must(client.Attach(within(t), "r", coagent.Tail()))(t)
	tail := fields{"run": "r", "from": 0, "tail": true}
	p.attached(tail)
	p = p.lose(f)
	p.data(p.attached(tail).id(), "1")
	equal(t, must(reply.Next(within(t)))(t).Text(), "1")
	p = p.lose(f)
	_, err := reply.Next(within(t))
	failsWith(t, err, coagent.Unavailable, "connection_lost")
	p.nothing()
}

func TestRunsAreListedPageByPage(t *testing.T) {
	client, p := linked(t)
	listing := begin(func() ([]coagent.RunCard, error) {
		return client.Runs(within(t), coagent.InState("ended"))
	})
	first := p.next("call")
	equal(t, string(first.content), `{"state":"ended"}`)
	p.data(first.id(), `{"runs":[{"run":"a","to":"b:s","type":"T","state":"ended","frames":3,`+
		`"first":1,"bytes":9,"readers":2,"detached":true,"age_ms":2000,"ended_ms":1500,`+
		`"code":"aborted","principal":"uid 1"}],"more":true}`, fields{"end": true})
	second := p.next("call")
	equal(t, string(second.content), `{"state":"ended","after":"a"}`)
	p.data(second.id(), `{"runs":[{"run":"c"}],"more":false}`, fields{"end": true})
	cards := listing.ok(t)
	equal(t, len(cards), 2)
	equal(t, cards[0], coagent.RunCard{Name: "a", To: "b:s", Type: "T", State: "ended", Frames: 3,
		First: 1, Bytes: 9, Readers: 2, IsDetached: true, Age: 2 * time.Second,
		Ended: 1500 * time.Millisecond, Code: coagent.Aborted, Principal: "uid 1"})
	describing := begin(func() (coagent.RunCard, error) { return client.DescribeRun(within(t), "a") })
	describe := p.next("call")
	equal(t, describe.text("type")+string(describe.content), `RunDescribe{"run":"a"}`)
	p.data(describe.id(), `{"run":"a"}`, fields{"end": true})
	equal(t, describing.ok(t).Name, "a")
}

func TestCloseEndsARunThatIsRead(t *testing.T) {
	client, p := linked(t)
	reply := must(client.Start(within(t), "a", nil, coagent.WithRun("r")))(t)
	p.next("call")
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := reply.Next(within(t))
	failsWith(t, err, coagent.Unavailable, "connection_lost")
}
