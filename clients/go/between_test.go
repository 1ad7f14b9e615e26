package coagent_test

import (
	"context"
	"testing"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

// goodbye has the sidecar drain; the client knows of it then.
func (p *peer) goodbye() {
	p.t.Helper()
	p.send(fields{"op": "goodbye", "reason": "shutdown", "timeout_ms": 1000}, "")
	p.nothing()
}

func TestWhatIsBegunWhileTheSidecarDrainsWaitsForTheNext(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	p.goodbye()
	calling := begin(func() (*coagent.Value, error) { return client.Call(within(t), "a", nil) })
	sending := begin(func() (any, error) { return nil, client.Send(within(t), "a", nil) })
	publishing := begin(func() (any, error) { return nil, client.Publish(within(t), "t", nil) })
	registering := begin(func() (*coagent.Registration, error) {
		return client.Register(within(t), "a", coagent.Func(upper))
	})
	subscribing := begin(func() (*coagent.Subscription, error) {
		return client.Subscribe(within(t), "t")
	})
	p.nothing()
	p = p.lose(f)
	for range 5 {
		g := must(p.read())(t)
		if g.text("op") == "call" {
			p.data(g.id(), "1", fields{"end": true})
		} else {
			p.send(fields{"op": "ok", "id": g.id()}, "")
		}
	}
	equal(t, calling.ok(t).Text(), "1")
	sending.ok(t)
	publishing.ok(t)
	registering.ok(t)
	subscribing.ok(t)
}

func TestWhatIsRefusedBecauseTheSidecarDrainsWaitsForTheNext(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	registering := begin(func() (*coagent.Registration, error) {
		return client.Register(within(t), "a", coagent.Func(upper))
	})
	draining := fields{"retry": true}
	register := p.next("register").id()
	calling := begin(func() (*coagent.Value, error) { return client.Call(within(t), "a", nil) })
	call := p.next("call").id()
	p.goodbye()
	p.fail(register, "unavailable", "draining", draining)
	p.fail(call, "unavailable", "draining", draining)
	p.nothing()
	p = p.lose(f)
	p.registered("a")
	registering.ok(t)
	p.data(p.next("call").id(), "1", fields{"end": true})
	equal(t, calling.ok(t).Text(), "1")
}

func TestChildrenOfACallInFlightGoOutWhileTheSidecarDrains(t *testing.T) {
	client, p := linked(t)
	begun := make(chan struct{})
	host(t, client, p, "a", coagent.Func(func(ctx context.Context, _ struct{}) (string, error) {
		<-begun
		value, err := client.Call(ctx, "b", nil)
		if err != nil {
			return "", err
		}
		return value.Text(), nil
	}))
	p.call("a", "")
	p.goodbye()
	close(begun)
	p.data(p.next("call").id(), "1", fields{"end": true})
	equal(t, string(p.next("data").content), "1")
}

func TestWhatWaitsForAConnectionWaitsWithinItsTime(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	p.goodbye()
	ctx, cancel := context.WithTimeout(within(t), 20*time.Millisecond)
	defer cancel()
	_, err := client.Call(ctx, "a", nil)
	failsWith(t, err, coagent.DeadlineExceeded, "deadline")
	failsWith(t, client.Send(ctx, "a", nil), coagent.DeadlineExceeded, "deadline")
	_, err = client.Start(ctx, "a", nil)
	failsWith(t, err, coagent.DeadlineExceeded, "deadline")
	_, err = client.Register(ctx, "a", coagent.Func(upper))
	failsWith(t, err, coagent.DeadlineExceeded, "deadline")
	p.nothing()
}

func TestOneThatItsOperatorDrainedIsRefusedAndEndsWhatServes(t *testing.T) {
	client, p := linked(t, coagent.WithRepeats(0))
	leave := make(chan struct{})
	registration, _ := host(t, client, p, "a", coagent.Func(
		func(context.Context, struct{}) (string, error) {
			<-leave
			return "done", nil
		}))
	subscribing := begin(func() (*coagent.Subscription, error) {
		return client.Subscribe(within(t), "t")
	})
	p.send(fields{"op": "ok", "id": p.next("subscribe").id()}, "")
	subscription := subscribing.ok(t)
	watching := begin(func() (coagent.Change, error) {
		for change, err := range client.Watch(within(t), "") {
			return change, err
		}
		return coagent.Change{}, nil
	})
	watch := p.next("call").id()
	serving := begin(func() (any, error) { return nil, client.Serve(within(t)) })
	p.call("a", "")
	p.send(fields{"op": "goodbye", "reason": "drained", "timeout_ms": 1000}, "")
	p.nothing()
	_, err := subscription.Next(within(t))
	failsWith(t, err, coagent.Unavailable, "draining")
	p.fail(watch, "unavailable", "shutdown")
	_, err = watching.wait(t)
	failsWith(t, err, coagent.Unavailable, "shutdown")
	for _, verb := range []func() error{
		func() error { _, err := client.Call(within(t), "b", nil); return err },
		func() error { return client.Send(within(t), "b", nil) },
		func() error { _, err := client.Register(within(t), "b", coagent.Func(upper)); return err },
		func() error { _, err := client.Subscribe(within(t), "b"); return err },
	} {
		failing := begin(func() (any, error) { return nil, verb() })
		refused := must(p.read())(t)
		p.fail(refused.id(), "unavailable", "draining", fields{"retry": true})
		_, err := failing.wait(t)
		failsWith(t, err, coagent.Unavailable, "draining")
	}
	if err := registration.Close(); err != nil { // It is withdrawn already.
		t.Error(err)
	}
	close(leave)
	equal(t, string(p.next("data").content), "done")
	serving.ok(t)
	p.next("goodbye")
	p.closed()
}

func TestWhoIsBackBeforeThoseItCallsGivesThemTime(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	calling := begin(func() (*coagent.Value, error) { return client.Call(within(t), "a", nil) })
	p.fail(p.next("call").id(), "not_found", "unknown_agent")
	_, err := calling.wait(t)
	failsWith(t, err, coagent.NotFound, "unknown_agent") // At first it is what it says.
	p = p.lose(f)
	calling = begin(func() (*coagent.Value, error) { return client.Call(within(t), "a", nil) })
	for range 5 { // More often than other repeats.
		p.fail(p.next("call").id(), "not_found", "unknown_agent")
	}
	p.data(p.next("call").id(), "1", fields{"end": true})
	equal(t, calling.ok(t).Text(), "1")

	sending := begin(func() (any, error) { return nil, client.Send(within(t), "a", nil) })
	for range 5 {
		p.fail(p.next("send").id(), "unavailable", "no_replica", fields{"retry": true})
	}
	p.send(fields{"op": "ok", "id": p.next("send").id()}, "")
	sending.ok(t)

	signalling := begin(func() (any, error) { return nil, client.Pause(within(t), "a:s") })
	p.fail(p.next("signal").id(), "not_found", "unknown_agent")
	_, err = signalling.wait(t)
	failsWith(t, err, coagent.NotFound, "unknown_agent")
	exchange := must(client.Open(within(t), "a", nil))(t)
	p.fail(p.next("call").id(), "not_found", "unknown_agent")
	_, err = exchange.Next(within(t))
	failsWith(t, err, coagent.NotFound, "unknown_agent")
}
