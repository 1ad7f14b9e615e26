package coagent_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

// endings tells how the contexts of an agent's calls ended.
func endings(t *testing.T) (*peer, chan error, chan struct{}) {
	t.Helper()
	ended, begun := make(chan error, 10), make(chan struct{}, 10)
	p := hosted(t, coagent.Handler(
		func(ctx context.Context, _ *coagent.Request, out *coagent.Sender) error {
			derived, cancel := context.WithCancel(ctx)
			defer cancel()
			begun <- struct{}{}
			<-derived.Done()
			ended <- errors.Join(ctx.Err(), derived.Err(), context.Cause(derived))
			return ctx.Err()
		}))
	return p, ended, begun
}

func TestACancelledCallEndsItsContextAndAnswers(t *testing.T) {
	p, ended, begun := endings(t)
	id := p.call("a", "")
	await(t, begun)
	p.send(fields{"op": "cancel", "id": id, "reason": "caller_lost"}, "")
	err := await(t, ended)
	failsWith(t, err, coagent.Cancelled, "caller_lost")
	if !errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	p.is(p.next("error"), fields{"op": "error", "id": id, "code": "cancelled",
		"reason": "cancelled", "message": "the call was cancelled"})
}

func TestTheDeadlineIsTheSidecarsToKeep(t *testing.T) {
	p, ended, begun := endings(t)
	id := p.call("a", "", fields{"timeout_ms": 1})
	await(t, begun)
	p.nothing()
	p.send(fields{"op": "cancel", "id": id, "reason": "deadline"}, "")
	err := await(t, ended)
	failsWith(t, err, coagent.DeadlineExceeded, "deadline")
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	equal(t, p.next("error").text("code"), "deadline_exceeded")
}

func TestADeadlineThatTheSidecarForgetsEndsASecondLate(t *testing.T) {
	p, ended, _ := endings(t)
	p.call("a", "", fields{"timeout_ms": 1})
	failsWith(t, await(t, ended), coagent.DeadlineExceeded, "deadline")
	equal(t, p.next("error").text("reason"), "deadline")
}

func TestTheContextHasTheDeadline(t *testing.T) {
	said := make(chan time.Duration, 1)
	p := hosted(t, coagent.Func(func(ctx context.Context, _ struct{}) (any, error) {
		deadline, _ := ctx.Deadline()
		said <- time.Until(deadline)
		return nil, nil
	}))
	p.call("a", "", fields{"timeout_ms": 60_000})
	if left := await(t, said); left <= 30*time.Second || left > time.Minute {
		t.Error(left)
	}
	p.next("data")
}

func TestACancelledAgentThatAnswersStillEndsWithAnError(t *testing.T) {
	begun, leave := make(chan struct{}), make(chan struct{})
	p := hosted(t, coagent.Func(func(context.Context, struct{}) (string, error) {
		close(begun)
		<-leave
		return "too late", nil
	}))
	id := p.call("a", "")
	await(t, begun)
	p.send(fields{"op": "cancel", "id": id}, "")
	p.nothing() // It keeps its place until it returns.
	close(leave)
	failed := p.next("error")
	equal(t, failed.id(), id)
	equal(t, failed.text("code"), "cancelled")
	p.nothing()
}

func TestACancelReachesWhoWaitsToSendAndToRead(t *testing.T) {
	sent, read := make(chan error, 1), make(chan error, 1)
	p := hosted(t, coagent.Handler(
		func(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
			go func() {
				_, err := request.Next(context.Background())
				read <- err
			}()
			err := out.Send(context.Background(), strings.Repeat("x", 1<<20))
			sent <- err
			return err
		}))
	id := p.call("a", "", fields{"window": 1, "input": true})
	p.next("data")
	p.nothing()
	p.send(fields{"op": "cancel", "id": id}, "")
	failsWith(t, await(t, sent), coagent.Cancelled, "cancelled")
	failsWith(t, await(t, read), coagent.Cancelled, "cancelled")
	p.next("error")
}

func TestACallThatHasEndedTakesNothingMore(t *testing.T) {
	p := hosted(t, coagent.Func(upper))
	id := p.call("a", "x", asText)
	p.next("data")
	p.send(fields{"op": "credit", "id": id, "bytes": 9}, "")
	p.send(fields{"op": "cancel", "id": id}, "")
	p.data(id, "late")
	p.nothing()
}

func TestALostConnectionEndsTheAgents(t *testing.T) {
	p, ended, begun := endings(t)
	p.call("a", "")
	await(t, begun)
	_ = p.socket.Close()
	failsWith(t, await(t, ended), coagent.Unavailable, "connection_lost")
}

func TestChildrenInheritTimeTraceAndExt(t *testing.T) {
	client, p := linked(t)
	host(t, client, p, "a", coagent.Handler(
		func(ctx context.Context, _ *coagent.Request, out *coagent.Sender) error {
			if err := client.Send(ctx, "note", nil, coagent.WithoutAck()); err != nil {
				return err
			}
			if err := out.Forward(ctx, "b", "x", coagent.WithExt(fields{"own": true})); err != nil {
				return err
			}
			_, err := client.Call(ctx, "c", nil, coagent.WithoutParent())
			return err
		}))
	id := p.call("a", "", fields{"timeout_ms": 9000, "trace": "tr", "ext": fields{"k": 1}})
	p.is(p.next("send"), fields{"op": "send", "to": "note", "trace": "tr", "ext": fields{"k": 1},
		"parent": id})
	child := p.next("call")
	if left, _ := child.header["timeout_ms"].(float64); left < 1 || left > 9000 {
		t.Error(left)
	}
	delete(child.header, "timeout_ms")
	p.is(child, fields{"op": "call", "to": "b", "content_type": "text/plain", "trace": "tr",
		"ext": fields{"k": 1, "own": true}, "parent": id})
	p.data(child.id(), "1", fields{"type": "T", "ext": fields{"seen": 2}})
	passed := p.next("data")
	p.is(passed, fields{"op": "data", "id": id, "type": "T", "ext": fields{"seen": 2}})
	p.fail(child.id(), "aborted", "odd", fields{"more": true})
	equal(t, p.next("error").header["more"], any(true))
	p.data(child.id(), "", fields{"end": true})
	stranger := p.next("call")
	if stranger.header["parent"] != nil || stranger.header["trace"] != nil {
		t.Error(stranger.header)
	}
	p.fail(stranger.id(), "not_found", "unknown_agent")
	failed := p.next("error")
	p.is(failed, fields{"op": "error", "id": id, "code": "not_found", "reason": "unknown_agent",
		"message": "because", "details": fields{"agent": "c"}})
}

func TestADetachedChildOutlivesItsParent(t *testing.T) {
	client, p := linked(t)
	answered := make(chan error, 1)
	host(t, client, p, "a", coagent.Handler(
		func(ctx context.Context, _ *coagent.Request, _ *coagent.Sender) error {
			_, err := client.Call(ctx, "b", nil, coagent.Detach())
			answered <- err
			return err
		}))
	id := p.call("a", "", fields{"timeout_ms": 50})
	child := p.next("call")
	equal(t, child.header["detach"], any(true))
	equal(t, child.header["parent"], any(float64(id)))
	if left, _ := child.header["timeout_ms"].(float64); left < 25_000 {
		t.Error(left)
	}
	p.send(fields{"op": "cancel", "id": id}, "")
	p.nothing()
	p.data(child.id(), "1", fields{"end": true})
	if err := await(t, answered); err != nil {
		t.Error(err)
	}
	p.next("error")
}

func TestCancellingAParentEndsItsChildren(t *testing.T) {
	client, p := linked(t)
	host(t, client, p, "a", coagent.Handler(
		func(ctx context.Context, _ *coagent.Request, out *coagent.Sender) error {
			return out.Forward(ctx, "b", nil)
		}))
	id := p.call("a", "")
	child := p.next("call")
	p.send(fields{"op": "cancel", "id": id}, "")
	ends := map[string]int{}
	for range 2 {
		g, err := p.read()
		if err != nil {
			t.Fatal(err)
		}
		ends[g.text("op")] = g.id()
	}
	equal(t, ends["cancel"], child.id())
	equal(t, ends["error"], id)
}
