package coagent_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
)

// delegating is an agent that delegates to b and does the rest with what it got.
func delegating(
	t *testing.T,
	rest func(ctx context.Context, out *coagent.Sender, d *coagent.Delegated) error,
	options ...coagent.CallOption,
) *peer {
	t.Helper()
	return hosted(t, coagent.Handler(
		func(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
			d, err := request.Delegate(ctx, "b", "go", options...)
			if err != nil {
				return err
			}
			return rest(ctx, out, d)
		}))
}

// delegated is the next frame: a call that is held for the reply of another.
func (p *peer) delegated(parent int, to string) int {
	p.t.Helper()
	call := p.next("call")
	equal(p.t, call.text("to"), to)
	equal(p.t, call.header["parent"], any(float64(parent)))
	equal(p.t, call.header["window"], any(float64(0)))
	return call.id()
}

func TestAYieldedCallIsSplicedInItsPlace(t *testing.T) {
	p := hosted(t, coagent.StreamFunc(func(ctx context.Context, _ struct{}) iter.Seq2[any, error] {
		return func(yield func(any, error) bool) {
			request, _ := coagent.FromContext(ctx)
			first, err := request.Delegate(ctx, "b:x", "one")
			second, failed := request.Delegate(ctx, "c", "two")
			_ = yield("A", errors.Join(err, failed)) && yield(first, nil) && yield(second, nil) &&
				yield("Z", nil)
		}
	}))
	id := p.call("a", "")
	first, second := p.delegated(id, "b:x"), p.delegated(id, "c")
	equal(t, string(p.next("data").content), "A")
	p.is(p.next("splice"), fields{"op": "splice", "id": id, "call": first})
	p.is(p.next("splice"), fields{"op": "splice", "id": id, "call": second})
	equal(t, string(p.next("data").content), "Z")
	p.is(p.next("data"), fields{"op": "data", "id": id, "end": true})
	p.data(first, "crossed")
	p.fail(second, "unavailable", "host_lost")
	p.nothing()
}

func TestAReturnedCallIsHandedOver(t *testing.T) {
	p := hosted(t, coagent.Func(func(ctx context.Context, text string) (*coagent.Delegated, error) {
		request, _ := coagent.FromContext(ctx)
		return request.Delegate(ctx, "b", text)
	}))
	id := p.call("a", "hi", asText)
	below := p.delegated(id, "b")
	p.is(p.next("splice"), fields{"op": "splice", "id": id, "call": below, "end": true})
	p.send(fields{"op": "cancel", "id": id}, "")
	p.nothing()
}

func TestWhatDiscoveryShowsOfAnAgentThatDelegates(t *testing.T) {
	client, p := linked(t)
	_, register := host(t, client, p, "a", coagent.Func(
		func(context.Context, string) (*coagent.Delegated, error) { return nil, nil }))
	equal(t, string(register.content),
		`[{"name":"a","input":{"type":"string"},"streaming":false}]`)
	p.call("a", "x", asText)
	p.is(p.next("data"), fields{"op": "data", "id": 2, "end": true}) // A nil one is no message.
}

func TestAnOpenMessageEndsBeforeASplice(t *testing.T) {
	p := delegating(t, func(ctx context.Context, out *coagent.Sender, d *coagent.Delegated) error {
		if err := out.SendPart(ctx, "Drip"); err != nil {
			return err
		}
		return out.SendLast(ctx, d)
	})
	id := p.call("a", "", fields{"window": 262})
	below := p.delegated(id, "b")
	equal(t, p.next("data").header["part"], any(true))
	p.is(p.next("data"), fields{"op": "data", "id": id})
	p.is(p.next("splice"), fields{"op": "splice", "id": id, "call": below, "end": true})
}

func TestASpliceNeedsNoCredit(t *testing.T) {
	p := delegating(t, func(ctx context.Context, out *coagent.Sender, d *coagent.Delegated) error {
		return errors.Join(out.Send(ctx, "A"), out.Send(ctx, d), out.Send(ctx, "Z"))
	})
	id := p.call("a", "", fields{"window": 1})
	p.delegated(id, "b")
	p.next("data")
	p.next("splice")
	p.nothing()
	p.send(fields{"op": "credit", "id": id, "bytes": 999}, "")
	equal(t, string(p.next("data").content), "Z")
	p.next("data")
}

func TestACallThatFailedBeforeItsSpliceIsAnErrorAtItsPlace(t *testing.T) {
	for _, isLast := range []bool{false, true} {
		begun := make(chan struct{})
		p := delegating(t, func(ctx context.Context, out *coagent.Sender, d *coagent.Delegated) error {
			<-begun
			if isLast {
				return out.SendLast(ctx, d)
			}
			return errors.Join(out.Send(ctx, d), out.SendLast(ctx, "Z"))
		})
		id := p.call("a", "")
		below := p.delegated(id, "b")
		p.fail(below, "resource_exhausted", "too_many_ids", fields{"retry": true})
		p.nothing()
		close(begun)
		failed := p.next("error")
		equal(t, failed.text("reason"), "too_many_ids")
		equal(t, failed.header["more"] == nil, isLast)
		if !isLast {
			equal(t, string(p.next("data").content), "Z")
		}
	}
}

func TestWhatIsOutOfOrderGoesInOnePiece(t *testing.T) {
	p := delegating(t, func(ctx context.Context, out *coagent.Sender, d *coagent.Delegated) error {
		large := coagent.OutOfOrder(strings.Repeat("x", 600_000))
		too := out.Send(ctx, coagent.OutOfOrder(make([]byte, 17<<20)))
		failsWith(t, too, coagent.InvalidArgument, "too_large")
		return errors.Join(out.Send(ctx, large), out.Send(ctx, coagent.OutOfOrder(d)),
			out.SendLast(ctx, coagent.OutOfOrder("urgent")))
	})
	id := p.call("a", "")
	below := p.delegated(id, "b")
	large := p.next("data")
	equal(t, len(large.content), 600_000)
	p.is(large, fields{"op": "data", "id": id, "content_type": "text/plain", "unordered": true})
	p.is(p.next("splice"), fields{"op": "splice", "id": id, "call": below, "unordered": true})
	equal(t, p.next("data").header["unordered"], any(true))
	p.is(p.next("data"), fields{"op": "data", "id": id, "end": true})
}

func TestADelegatedCallMayBeReadInstead(t *testing.T) {
	p := delegating(t, func(ctx context.Context, out *coagent.Sender, d *coagent.Delegated) error {
		first, err := d.Next(ctx)
		if err != nil {
			return err
		}
		// What is read is copied then.
		return errors.Join(out.Send(ctx, "read: "+first.Text()), out.Send(ctx, d), out.Send(ctx, "Z"))
	})
	id := p.call("a", "")
	below := p.delegated(id, "b")
	p.is(p.next("credit"), fields{"op": "credit", "id": below, "bytes": 1 << 20})
	p.data(below, "1", asText)
	equal(t, string(p.next("data").content), "read: 1")
	p.data(below, "2", asText)
	equal(t, string(p.next("data").content), "2")
	p.data(below, "", fields{"end": true})
	equal(t, string(p.next("data").content), "Z")
	p.is(p.next("data"), fields{"op": "data", "id": id, "end": true})
}

func TestADelegatedCallThatIsNotUsedIsCancelled(t *testing.T) {
	for _, result := range []error{nil, errors.New("odd")} {
		p := hosted(t, coagent.Handler(
			func(_ context.Context, request *coagent.Request, _ *coagent.Sender) error {
				_, err := request.Delegate(context.Background(), "b", nil)
				return errors.Join(err, result)
			}))
		id := p.call("a", "")
		below := p.delegated(id, "b")
		both := p.nextTwo()
		equal(t, both["cancel"].id(), below)
		equal(t, both["data"].id()+both["error"].id(), id)
	}
}

func TestACallIsSplicedOnceAndByItsOwnParent(t *testing.T) {
	kept := make(chan *coagent.Delegated, 1)
	p := delegating(t, func(ctx context.Context, out *coagent.Sender, d *coagent.Delegated) error {
		select {
		case other := <-kept:
			failsWith(t, out.Send(ctx, other), coagent.InvalidArgument, "bad_splice")
		default:
			kept <- d
		}
		if err := out.Send(ctx, d); err != nil {
			return err
		}
		failsWith(t, out.Send(ctx, d), coagent.FailedPrecondition, "call_spliced")
		_, err := d.Next(ctx)
		failsWith(t, err, coagent.FailedPrecondition, "call_spliced")
		failsWith(t, d.Interrupt(ctx, nil), coagent.FailedPrecondition, "not_running")
		d.Close()
		return nil
	})
	for range 2 {
		id := p.call("a", "")
		below := p.delegated(id, "b")
		p.is(p.next("splice"), fields{"op": "splice", "id": id, "call": below})
		p.is(p.next("data"), fields{"op": "data", "id": id, "end": true})
	}
	p.nothing()
}

func TestAReplyIsCopied(t *testing.T) {
	for _, isLast := range []bool{false, true} {
		client, p := linked(t)
		host(t, client, p, "a", coagent.Handler(
			func(ctx context.Context, _ *coagent.Request, out *coagent.Sender) error {
				stream := client.Stream(ctx, "b", nil)
				if isLast {
					return out.SendLast(ctx, stream)
				}
				reply, err := client.Start(ctx, "c", nil)
				if err != nil {
					return err
				}
				return errors.Join(out.Send(ctx, stream), out.SendLast(ctx, reply))
			}))
		id := p.call("a", "")
		calls := map[string]int{}
		for len(calls) < 2 && !(isLast && len(calls) == 1) {
			call := p.next("call")
			calls[call.text("to")] = call.id()
		}
		p.data(calls["b"], "1", fields{"type": "T", "ext": fields{"page": 1}})
		p.is(p.next("data"), fields{"op": "data", "id": id, "type": "T", "ext": fields{"page": 1}})
		p.fail(calls["b"], "aborted", "here", fields{"more": true})
		equal(t, p.next("error").header["more"], any(true))
		p.fail(calls["b"], "aborted", "torn")
		failed := p.next("error")
		equal(t, failed.text("reason"), "torn")
		equal(t, failed.header["more"] == nil, isLast)
		if !isLast {
			p.data(calls["c"], "2", fields{"end": true})
			equal(t, string(p.next("data").content), "2")
			p.is(p.next("data"), fields{"op": "data", "id": id, "end": true})
		}
	}
}

func TestALongMessageHasGoneBeforeItsCallIsSpliced(t *testing.T) {
	f := newFakeSidecar(t)
	connecting := begin(func() (*coagent.Client, error) {
		return coagent.Connect(within(t), f.url(), quiet())
	})
	p := f.welcome(fields{"max_content": 4096})
	client := connecting.ok(t)
	defer client.Close()
	host(t, client, p, "a", coagent.Handler(
		func(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
			_, err := request.Delegate(ctx, "b", make([]byte, 9000), coagent.Lazy())
			failsWith(t, err, coagent.InvalidArgument, "too_large")
			_, err = request.Delegate(ctx, "b", nil, coagent.WithRun("r"))
			failsWith(t, err, coagent.InvalidArgument, "bad_splice")
			d, err := request.Delegate(ctx, "b", make([]byte, 9000))
			if err != nil {
				return err
			}
			return out.SendLast(ctx, d)
		}))
	id := p.call("a", "")
	below := p.delegated(id, "b")
	for left := 9000; left > 0; {
		part := p.next("data")
		equal(t, part.id(), below)
		left -= len(part.content)
		equal(t, part.header["end"] != nil, left == 0)
	}
	p.is(p.next("splice"), fields{"op": "splice", "id": id, "call": below, "end": true})
}

func TestAnInterruptEndsWhatIsNotSplicedYet(t *testing.T) {
	begun := make(chan struct{})
	p := hosted(t, coagent.Handler(
		func(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
			first, err := request.Delegate(ctx, "b", nil)
			second, failed := request.Delegate(ctx, "c", nil)
			if err = errors.Join(err, failed, out.Send(ctx, first)); err != nil {
				return err
			}
			close(begun)
			<-ctx.Done()
			_, err = second.Next(request.Uninterrupted())
			failsWith(t, err, coagent.Cancelled, "interrupted")
			third, err := request.Delegate(request.Uninterrupted(), "d", nil)
			if err != nil {
				return err
			}
			return out.SendLast(ctx, third)
		}))
	id := p.call("a", "")
	first, second := p.delegated(id, "b"), p.delegated(id, "c")
	equal(t, p.next("splice").header["call"], any(float64(first)))
	await(t, begun)
	p.answered(p.interrupt(id, "stop"))
	frames := map[string]got{}
	// Credit for the second comes too, if it was asked for in time.
	for frames["splice"].header == nil || frames["cancel"].header == nil {
		g := must(p.read())(t)
		frames[g.text("op")] = g
	}
	equal(t, frames["cancel"].id(), second)
	equal(t, frames["splice"].header["call"], any(float64(frames["call"].id())))
}

func TestADelegatedCallOfACallThatHasEnded(t *testing.T) {
	requests := make(chan *coagent.Request, 1)
	p := hosted(t, coagent.Handler(
		func(_ context.Context, request *coagent.Request, _ *coagent.Sender) error {
			requests <- request
			return nil
		}))
	p.call("a", "")
	p.next("data")
	_, err := (await(t, requests)).Delegate(within(t), "b", nil)
	failsWith(t, err, coagent.Cancelled, "parent_ended")
}
