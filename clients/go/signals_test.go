package coagent_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
)

// signalling runs a verb that signals, and answers what it writes with `ok`.
func signalling(t *testing.T, p *peer, wanted fields, payload string, signal func() error) {
	t.Helper()
	done := begin(func() (any, error) { return nil, signal() })
	written := p.next("signal")
	p.is(written, wanted)
	equal(t, string(written.content), payload)
	p.send(fields{"op": "ok", "id": written.id()}, "")
	done.ok(t)
}

func TestSignalsSayWhomTheyConcern(t *testing.T) {
	client, p := linked(t)
	ctx := within(t)
	signalling(t, p, fields{"op": "signal", "to": "room:ann", "name": "steer.note"}, `{"n":1}`,
		func() error { return client.Signal(ctx, "room:ann", "steer.note", fields{"n": 1}) })
	signalling(t, p, fields{"op": "signal", "to": "room:ann", "name": "interrupt",
		"content_type": "text/plain"}, "be brief",
		func() error { return client.Interrupt(ctx, "room:ann", "be brief") })
	signalling(t, p, fields{"op": "signal", "to": "a:s", "name": "cancel", "from": "me"}, "",
		func() error { return client.Cancel(ctx, "a:s", coagent.WithSender("me")) })
	signalling(t, p, fields{"op": "signal", "to": "a:s", "name": "pause"}, "",
		func() error { return client.Pause(ctx, "a:s") })
	signalling(t, p, fields{"op": "signal", "to": "a:s", "name": "resume"}, "",
		func() error { return client.Resume(ctx, "a:s") })
	signalling(t, p, fields{"op": "signal", "run": "job", "name": "interrupt",
		"content_type": "application/octet-stream"}, "b",
		func() error { return client.InterruptRun(ctx, "job", []byte("b")) })
	signalling(t, p, fields{"op": "signal", "run": "job", "name": "cancel"}, "",
		func() error { return client.CancelRun(ctx, "job") })
	null := coagent.Message{Content: []byte("null")}
	signalling(t, p, fields{"op": "signal", "run": "job", "name": "a.b"}, "null",
		func() error { return client.SignalRun(ctx, "job", "a.b", null) })
}

func TestAReplyIsSignalledByItsCall(t *testing.T) {
	client, p := linked(t)
	ctx := within(t)
	reply := must(client.Start(ctx, "a", nil))(t)
	id := p.next("call").id()
	signalling(t, p, fields{"op": "signal", "call": id, "name": "interrupt",
		"content_type": "text/plain"}, "stop",
		func() error { return reply.Interrupt(ctx, "stop") })
	signalling(t, p, fields{"op": "signal", "call": id, "name": "a.b"}, "",
		func() error { return reply.Signal(ctx, "a.b", nil) })
	p.data(id, "1", fields{"end": true})
	equal(t, must(reply.Value(ctx))(t).Text(), "1")
	failed := failsWith(t, reply.Interrupt(ctx, nil), coagent.FailedPrecondition, "not_running")
	equal(t, failed.Address, "a")
	p.nothing()
}

func TestWhatASignalIsAnsweredIsItsError(t *testing.T) {
	client, p := linked(t)
	signalled := begin(func() (any, error) {
		return nil, client.Signal(within(t), "a:s", "a.b", nil)
	})
	p.fail(p.next("signal").id(), "unimplemented", "unhandled_signal")
	_, err := signalled.wait(t)
	equal(t, failsWith(t, err, coagent.Unimplemented, "unhandled_signal").Address, "a:s")

	repeated := begin(func() (any, error) { return nil, client.Pause(within(t), "a:s") })
	p.fail(p.next("signal").id(), "resource_exhausted", "too_many_signals", fields{"retry": true})
	p.send(fields{"op": "ok", "id": p.next("signal").id()}, "")
	repeated.ok(t)
}

func TestASignalThatNobodyWaitsForHasNoID(t *testing.T) {
	client, p := linked(t)
	if err := client.Interrupt(within(t), "a:s", 1, coagent.WithoutAck()); err != nil {
		t.Fatal(err)
	}
	signal := p.next("signal")
	p.is(signal, fields{"op": "signal", "to": "a:s", "name": "interrupt"})
	equal(t, signal.header["id"], nil)
}

func TestWhoStopsWaitingForASignalTakesItBack(t *testing.T) {
	client, p := linked(t)
	ctx, cancel := context.WithCancel(within(t))
	signalled := begin(func() (any, error) { return nil, client.Signal(ctx, "a:s", "a.b", nil) })
	id := p.next("signal").id()
	cancel()
	p.is(p.next("cancel"), fields{"op": "cancel", "id": id})
	_, err := signalled.wait(t)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	p.fail(id, "cancelled", "cancelled")
	p.nothing()
}

func TestSignalsThatCannotBeWrittenFailHere(t *testing.T) {
	client, p := linked(t)
	ctx := within(t)
	failsWith(t, client.Signal(ctx, "a b", "a.b", nil), coagent.InvalidArgument, "bad_address")
	failsWith(t, client.Signal(ctx, "a", "a.b", strings.Repeat("x", 65_537)),
		coagent.InvalidArgument, "too_large")
	failsWith(t, client.Signal(ctx, "a", "a.b", func() {}), coagent.InvalidArgument, "bad_content")
	p.nothing()
}

func TestASidecarWithoutSignalsGetsNone(t *testing.T) {
	f := newFakeSidecar(t)
	connecting := begin(func() (*coagent.Client, error) {
		return coagent.Connect(within(t), f.url(), quiet())
	})
	p := f.welcome(fields{"features": ""})
	client := connecting.ok(t)
	defer client.Close()
	failsWith(t, client.Pause(within(t), "a:s"), coagent.Unimplemented, "no_signals")
	p.nothing()
}

func TestSignalsGoToASidecarThatDrainsAndWaitForOneThatIsAway(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	p.send(fields{"op": "goodbye", "reason": "shutdown", "timeout_ms": 1000}, "")
	p.nothing()
	signalling(t, p, fields{"op": "signal", "to": "a:s", "name": "pause"}, "",
		func() error { return client.Pause(within(t), "a:s") })
	_ = p.socket.Close()
	p = f.accept() // It knows that the connection is lost.
	resumed := begin(func() (any, error) { return nil, client.Resume(within(t), "a:s") })
	p.greet()
	p.send(fields{"op": "ok", "id": p.next("signal").id()}, "")
	resumed.ok(t)
}

func TestAnAgentSignalsAsAChildOfItsCall(t *testing.T) {
	client, p := linked(t)
	host(t, client, p, "a", coagent.Func(func(ctx context.Context, _ struct{}) (any, error) {
		return nil, client.Interrupt(ctx, "b:s", "stop")
	}))
	id := p.call("a", "", fields{"trace": "t", "ext": fields{"k": 1}})
	signal := p.next("signal")
	p.is(signal, fields{"op": "signal", "to": "b:s", "name": "interrupt",
		"content_type": "text/plain", "parent": id})
	p.send(fields{"op": "ok", "id": signal.id()}, "")
	p.is(p.next("data"), fields{"op": "data", "id": id, "end": true})
}
