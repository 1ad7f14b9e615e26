package coagent_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
)

// signal writes a signal with the next even id.
func (p *peer) signal(payload string, words fields) int {
	p.t.Helper()
	p.lastID += 2
	header := fields{"op": "signal", "id": p.lastID}
	for key, value := range words {
		header[key] = value
	}
	p.send(header, payload)
	return p.lastID
}

// interrupt interrupts a call, with a text.
func (p *peer) interrupt(call int, payload string) int {
	p.t.Helper()
	return p.signal(payload, fields{"call": call, "name": "interrupt", "content_type": "text/plain",
		"from": "boss"})
}

// answered is the next frame: `ok` to this signal.
func (p *peer) answered(id int) {
	p.t.Helper()
	p.is(p.next("ok"), fields{"op": "ok", "id": id})
}

// nextTwo are the next two frames, by their ops: they come in either order.
func (p *peer) nextTwo() map[string]got {
	p.t.Helper()
	both := map[string]got{}
	for range 2 {
		g, err := p.read()
		if err != nil {
			p.t.Fatal(err)
		}
		both[g.text("op")] = g
	}
	return both
}

func TestAnInterruptIsTheCauseOfTheContext(t *testing.T) {
	causes := make(chan *coagent.Interrupted, 1)
	p := hosted(t, coagent.Func(func(ctx context.Context, _ struct{}) (string, error) {
		<-ctx.Done()
		var interrupted *coagent.Interrupted
		if !errors.As(context.Cause(ctx), &interrupted) || ctx.Err() != context.Canceled ||
			!errors.Is(context.Cause(ctx), coagent.ErrInterrupted) {
			return "", errors.New("it is no interrupt")
		}
		causes <- interrupted
		return "in short: " + interrupted.Text(), nil
	}))
	id := p.call("a", "")
	p.answered(p.interrupt(id, "be brief"))
	interrupted := await(t, causes)
	equal(t, interrupted.Name+" "+interrupted.Sender+" "+interrupted.Address, "interrupt boss a")
	answer := p.next("data")
	p.is(answer, fields{"op": "data", "id": id, "content_type": "text/plain", "end": true})
	equal(t, string(answer.content), "in short: be brief")
}

func TestAnInterruptThatEscapesEndsTheCallAborted(t *testing.T) {
	for _, escape := range []func(context.Context, *coagent.Client) error{
		func(ctx context.Context, _ *coagent.Client) error { <-ctx.Done(); return ctx.Err() },
		func(ctx context.Context, _ *coagent.Client) error { <-ctx.Done(); return context.Cause(ctx) },
		func(ctx context.Context, _ *coagent.Client) error {
			<-ctx.Done()
			return fmt.Errorf("thinking: %w", context.Cause(ctx))
		},
		func(ctx context.Context, client *coagent.Client) error {
			_, err := client.Call(ctx, "b", nil)
			return err
		},
	} {
		client, p := linked(t)
		host(t, client, p, "a", coagent.Func(func(ctx context.Context, _ struct{}) (any, error) {
			return nil, escape(ctx, client)
		}))
		id := p.call("a", "")
		signal := p.interrupt(id, "stop")
		ops := map[string]got{}
		for len(ops) < 2 || ops["error"].header == nil {
			g := must(p.read())(t)
			ops[g.text("op")] = g
		}
		equal(t, ops["ok"].id(), signal)
		equal(t, ops["error"].id(), id)
		failed := ops["error"].header
		equal(t, fmt.Sprint(failed["code"], failed["reason"]), "abortedinterrupted")
	}
}

func TestAnErrorOfTheAgentsOwnGoesBeforeTheInterrupt(t *testing.T) {
	p := hosted(t, coagent.Func(func(ctx context.Context, _ struct{}) (any, error) {
		<-ctx.Done()
		return nil, coagent.Errorf(coagent.FailedPrecondition, "half_done", "a: %w", ctx.Err())
	}))
	id := p.call("a", "")
	p.answered(p.interrupt(id, "stop"))
	equal(t, p.next("error").text("reason"), "half_done")
}

func TestAnInterruptedAgentFinishesItsReply(t *testing.T) {
	client, p := linked(t)
	host(t, client, p, "a", coagent.Handler(
		func(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
			_, err := client.Call(ctx, "slow", nil)
			failed := failsWith(t, err, coagent.Cancelled, "interrupted")
			if !errors.Is(failed, coagent.ErrInterrupted) || request.Interrupted() == nil {
				t.Error(failed)
			}
			derived, cancel := context.WithCancel(ctx)
			defer cancel()
			if err := out.Send(derived, strings.Repeat("x", 600)); err != nil {
				return err
			}
			value, err := client.Call(request.Uninterrupted(), "quick", nil)
			if err != nil {
				return err
			}
			return out.SendLast(ctx, value.Text())
		}))
	id := p.call("a", "", fields{"window": 1})
	slow := p.next("call")
	signal := p.interrupt(id, "stop")
	both := p.nextTwo()
	equal(t, both["cancel"].id(), slow.id())
	equal(t, both["ok"].id(), signal)
	equal(t, len(p.next("data").content), 600)
	quick := p.next("call")
	equal(t, quick.header["parent"], any(float64(id)))
	p.data(quick.id(), "1", fields{"end": true})
	p.nothing() // The window is used up: an interrupt does not end the wait for it.
	p.send(fields{"op": "credit", "id": id, "bytes": 9999}, "")
	last := p.next("data")
	equal(t, string(last.content), "1")
	equal(t, last.header["end"], any(true))
}

func TestAStreamThatIsInterruptedAtItsYieldGoesOn(t *testing.T) {
	p := hosted(t, coagent.StreamFunc(
		func(ctx context.Context, _ struct{}) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				for n := 0; ctx.Err() == nil; n++ {
					if !yield(fmt.Sprint("thought ", n), nil) {
						return
					}
				}
				yield("in short: "+context.Cause(ctx).(*coagent.Interrupted).Text(), nil)
			}
		}))
	id := p.call("a", "", fields{"window": 1})
	equal(t, string(p.next("data").content), "thought 0")
	p.nothing()
	p.answered(p.interrupt(id, "be brief"))
	p.nothing() // What it stands at is sent, whole, before what comes next.
	p.send(fields{"op": "credit", "id": id, "bytes": 9999}, "")
	equal(t, string(p.next("data").content), "thought 1")
	equal(t, string(p.next("data").content), "in short: be brief")
	p.is(p.next("data"), fields{"op": "data", "id": id, "end": true})
}

func TestASecondRunOfTheAgentGoesOnUntouched(t *testing.T) {
	p := hosted(t, coagent.Handler(
		func(ctx context.Context, request *coagent.Request, _ *coagent.Sender) error {
			_, err := request.Next(ctx)
			if err == nil {
				_, err = request.Next(ctx)
			}
			return err
		}))
	first, second := p.call("a", "1", fields{"input": true}), p.call("a", "1", fields{"input": true})
	p.answered(p.interrupt(first, "stop"))
	failed := p.next("error")
	equal(t, failed.id(), first)
	p.data(second, "2", fields{"end": true})
	p.is(p.next("data"), fields{"op": "data", "id": second, "end": true})
}

func TestACancelAfterAnInterruptIsACancel(t *testing.T) {
	causes := make(chan error, 1)
	p := hosted(t, coagent.Handler(
		func(ctx context.Context, request *coagent.Request, _ *coagent.Sender) error {
			<-ctx.Done()
			lasting := request.Uninterrupted()
			<-lasting.Done()
			causes <- context.Cause(lasting)
			return ctx.Err()
		}))
	id := p.call("a", "")
	p.answered(p.interrupt(id, "stop"))
	p.answered(p.interrupt(id, "stop!")) // Noted, and no more.
	p.send(fields{"op": "cancel", "id": id, "reason": "deadline"}, "")
	failsWith(t, await(t, causes), coagent.DeadlineExceeded, "deadline")
	equal(t, p.next("error").text("code"), "cancelled")
}

func TestAHookTakesInterruptsBesideTheAgent(t *testing.T) {
	taken := make(chan string, 2)
	leave := make(chan struct{})
	p := hosted(t, coagent.Func(func(ctx context.Context, _ struct{}) (string, error) {
		<-leave
		return "undisturbed", ctx.Err()
	}), coagent.OnInterrupt(func(ctx context.Context, interrupted *coagent.Interrupted) error {
		request, _ := coagent.FromContext(ctx)
		taken <- request.Address() + " " + interrupted.Text()
		return nil
	}))
	id := p.call("a:s", "")
	p.answered(p.interrupt(id, "one"))
	p.answered(p.interrupt(id, "two"))
	equal(t, await(t, taken), "a:s one")
	equal(t, await(t, taken), "a:s two")
	close(leave)
	equal(t, string(p.next("data").content), "undisturbed")
}

func TestAHookThatFailsEndsTheCall(t *testing.T) {
	for _, fail := range []func() error{
		func() error { return coagent.Errorf(coagent.Aborted, "enough", "no more") },
		func() error { panic("enough") },
	} {
		p := hosted(t, coagent.Handler(
			func(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
				request.OnInterrupt(func(context.Context, *coagent.Interrupted) error { return fail() })
				if err := out.Send(ctx, "begun"); err != nil {
					return err
				}
				<-ctx.Done()
				return nil
			}))
		id := p.call("a", "")
		p.next("data")
		p.answered(p.interrupt(id, "stop"))
		failed := p.next("error")
		equal(t, failed.id(), id)
		if !strings.Contains(failed.text("message"), "no more") &&
			!strings.Contains(failed.text("message"), "enough") {
			t.Error(failed.header)
		}
		p.nothing()
	}
}

func TestAnInterruptForACallThatHasEndedIsAnswered(t *testing.T) {
	p := hosted(t, coagent.Func(upper))
	id := p.call("a", "x", asText)
	p.next("data")
	p.answered(p.interrupt(id, "stop"))
	p.signal("", fields{"call": 99, "name": "interrupt"})
	equal(t, p.next("error").text("reason"), "bad_id")
	p.closed()
}
