package coagent_test

import (
	"context"
	"fmt"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
)

// steered is an instance that takes signals.
type steered struct {
	told  chan string
	leave chan struct{}
}

func (s *steered) Work(ctx context.Context, _ struct{}) (string, error) {
	select {
	case <-s.leave:
		return "done", nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func (s *steered) OnSignal(ctx context.Context, signal *coagent.Signal) error {
	_, hasCall := coagent.FromContext(ctx)
	s.told <- fmt.Sprint(signal.Name, " ", signal.Text(), " ", signal.Sender, " ", hasCall)
	if signal.Name == "steer.refused" {
		return coagent.Errorf(coagent.Aborted, "not_now", "busy")
	}
	return nil
}

func (s *steered) OnInterrupt(_ context.Context, interrupted *coagent.Interrupted) error {
	s.told <- "interrupted: " + interrupted.Text()
	return nil
}

// steering is an agent whose instances take signals, and its first session, which works.
func steering(t *testing.T, options ...coagent.RegisterOption) (*steered, *peer, int) {
	t.Helper()
	s := &steered{told: make(chan string, 99), leave: make(chan struct{})}
	p := hosted(t, coagent.Sessions(func(context.Context) (*steered, error) { return s, nil },
		coagent.Operation("work", (*steered).Work)), options...)
	return s, p, p.call("a:s", "", fields{"new": true})
}

func TestAnInstanceTakesSignalsWhileItWorks(t *testing.T) {
	s, p, id := steering(t)
	note := fields{"to": "a:s", "name": "steer.note", "from": "boss"}
	p.answered(p.signal("1", note))
	equal(t, await(t, s.told), "steer.note 1 boss false")
	p.answered(p.signal("2", fields{"call": id, "name": "steer.note"}))
	equal(t, await(t, s.told), "steer.note 2  true")
	refused := p.signal("", fields{"to": "a:s", "name": "steer.refused"})
	failed := p.next("error")
	equal(t, failed.id(), refused)
	equal(t, failed.text("code")+"/"+failed.text("reason"), "aborted/not_now")
	p.answered(p.interrupt(id, "hm"))
	await(t, s.told)
	equal(t, await(t, s.told), "interrupted: hm")
	close(s.leave)
	equal(t, string(p.next("data").content), "done")
}

func TestSignalsOfASessionKeepTheirOrder(t *testing.T) {
	s, p, id := steering(t)
	for n := range 50 {
		p.signal(fmt.Sprint(n), fields{"to": "a:s", "name": "steer.note"})
	}
	for n := range 50 {
		equal(t, await(t, s.told), fmt.Sprint("steer.note ", n, "  false"))
		p.next("ok")
	}
	p.send(fields{"op": "cancel", "id": id}, "")
	p.next("error")
}

func TestASignalForANameGoesToTheAgentOrToEveryInstance(t *testing.T) {
	s, p, id := steering(t)
	p.answered(p.signal("1", fields{"call": id, "name": "steer.note"})) // The instance is made.
	await(t, s.told)
	other := p.call("a:t", "", fields{"new": true})
	p.answered(p.signal("1", fields{"call": other, "name": "steer.note"}))
	await(t, s.told)
	p.answered(p.signal("2", fields{"to": "a", "name": "steer.note"}))
	equal(t, await(t, s.told), "steer.note 2  false")
	equal(t, await(t, s.told), "steer.note 2  false")
	p.signal("", fields{"to": "a", "name": "steer.refused"})
	equal(t, p.next("error").text("reason"), "not_now")
	close(s.leave)
	p.next("data")
	p.next("data")
}

func TestARegistrationsHookTakesWhatNobodyElseDoes(t *testing.T) {
	told := make(chan string, 9)
	begun := make(chan struct{})
	p := hosted(t, coagent.Handler(
		func(ctx context.Context, request *coagent.Request, _ *coagent.Sender) error {
			request.OnSignal(func(_ context.Context, signal *coagent.Signal) error {
				told <- "its own: " + signal.Name
				return nil
			})
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		}), coagent.OnSignal(func(_ context.Context, signal *coagent.Signal) error {
		told <- signal.Address + " " + signal.Name
		return nil
	}))
	p.answered(p.signal("", fields{"to": "a", "name": "a.b"}))
	equal(t, await(t, told), "a a.b")
	id := p.call("a", "")
	await(t, begun)
	p.answered(p.signal("", fields{"call": id, "name": "a.c"}))
	equal(t, await(t, told), "its own: a.c")
	p.send(fields{"op": "cancel", "id": id}, "")
	p.next("error")
}

func TestWhatNothingTakesIsUnhandled(t *testing.T) {
	p := hosted(t, coagent.Handler(
		func(ctx context.Context, _ *coagent.Request, _ *coagent.Sender) error {
			<-ctx.Done()
			return ctx.Err()
		}))
	id := p.call("a", "")
	for _, words := range []fields{
		{"to": "a", "name": "a.b"}, {"to": "a:s", "name": "a.b"}, {"call": id, "name": "a.b"},
		{"to": "nobody", "name": "a.b"},
	} {
		p.signal("", words)
		failed := p.next("error")
		equal(t, failed.text("code")+"/"+failed.text("reason"), "unimplemented/unhandled_signal")
	}
	p.send(fields{"op": "cancel", "id": id}, "")
	p.next("error")
}

func TestAHookThatPanicsIsAnError(t *testing.T) {
	p := hosted(t, coagent.Func(upper), coagent.OnSignal(
		func(context.Context, *coagent.Signal) error { panic("no") }))
	p.signal("", fields{"to": "a", "name": "a.b"})
	equal(t, p.next("error").text("reason"), "agent_error")
}
