package coagent_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

func TestHelloSaysWhoItIs(t *testing.T) {
	f := newFakeSidecar(t)
	connecting := begin(func() (*coagent.Client, error) {
		return coagent.Connect(within(t), f.url(), coagent.WithName("shop"), coagent.WithToken("s3cret"),
			quiet())
	})
	p := f.accept()
	hello := p.next("hello")
	p.is(hello, fields{"op": "hello", "v": 1, "client": "coagent-client-go/" + coagent.Version,
		"name": "shop", "token": "s3cret", "features": "signals"})
	p.send(fields{"op": "welcome", "v": 1, "connection": "c1", "max_content": 999}, "")
	client := connecting.ok(t)
	equal(t, client.URL(), f.url())
	client.Close()
	p.is(p.next("goodbye"), fields{"op": "goodbye", "reason": "closed", "timeout_ms": 0})
	p.closed()
}

func TestURLAndTokenComeFromTheEnvironment(t *testing.T) {
	f := newFakeSidecar(t)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(" from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("COAGENT_URL", f.url())
	t.Setenv("COAGENT_TOKEN", "")
	t.Setenv("COAGENT_TOKEN_FILE", file)
	connecting := begin(func() (*coagent.Client, error) {
		return coagent.Connect(within(t), "", quiet())
	})
	p := f.accept()
	equal(t, p.greet().text("token"), "from-file")
	connecting.ok(t).Close()
	t.Setenv("COAGENT_TOKEN_FILE", file+"-not-there")
	_, err := coagent.Connect(within(t), "", quiet())
	failsWith(t, err, coagent.Unauthenticated, "bad_token")

	t.Setenv("COAGENT_URL", "")
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
	equal(t, coagent.DefaultURL(), "unix:/run/user/7/coagent/coagentd.sock")
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("TMPDIR", "/tmp/x/")
	if found := coagent.DefaultURL(); !strings.HasPrefix(found, "unix:/tmp/x/coagent-") {
		t.Error(found)
	}
}

func TestBadURLsAreRefused(t *testing.T) {
	noLeaks(t)
	for _, url := range []string{"http://x", "unix:", "tcp://host", "tcp://:", "tcp://h:1/path", "x"} {
		_, err := coagent.Connect(within(t), url)
		failsWith(t, err, coagent.InvalidArgument, "bad_address")
	}
}

func TestNobodyThere(t *testing.T) {
	noLeaks(t)
	_, err := coagent.Connect(within(t), "unix:/tmp/nobody-listens-here.sock")
	failed := failsWith(t, err, coagent.Unavailable, "connection_lost")
	if !strings.Contains(failed.Message, "is coagentd running?") || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = coagent.Connect(ctx, "unix:/tmp/nobody-listens-here.sock", coagent.WithWait(time.Hour))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestConnectWaitsForTheSidecar(t *testing.T) {
	f := newFakeSidecar(t)
	f.stop()
	connecting := begin(func() (*coagent.Client, error) {
		return coagent.Connect(within(t), f.url(), coagent.WithWait(bound), quiet())
	})
	f.listen()
	f.welcome()
	connecting.ok(t).Close()
}

func TestARefusedHelloIsTheErrorOfConnect(t *testing.T) {
	for _, code := range []string{"unauthenticated", "permission_denied", "failed_precondition"} {
		f := newFakeSidecar(t)
		connecting := begin(func() (*coagent.Client, error) {
			return coagent.Connect(within(t), f.url(), coagent.WithWait(time.Hour), quiet())
		})
		p := f.accept()
		p.next("hello")
		p.send(fields{"op": "error", "code": code, "reason": "why", "message": "no"}, "")
		_, err := connecting.wait(t)
		failsWith(t, err, coagent.Code(code), "why")
	}
}

func TestASilentSidecarIsGivenUp(t *testing.T) {
	f := newFakeSidecar(t)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	connecting := begin(func() (*coagent.Client, error) {
		return coagent.Connect(ctx, f.url(), quiet())
	})
	f.accept().next("hello")
	_, err := connecting.wait(t)
	failsWith(t, err, coagent.DeadlineExceeded, "deadline")
}

func TestALostConnectionIsMadeAgainWithItsAgents(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	host(t, client, p, "a", coagent.Func(upper))
	host(t, client, p, "b", coagent.Func(upper))
	calling := begin(func() (*value, error) { return client.Call(within(t), "x", nil) })
	reply := must(client.Start(within(t), "x", nil))(t)
	exchange := must(client.Open(within(t), "x", nil))(t)
	sending := begin(func() (int, error) { return 0, client.Send(within(t), "x", nil) })
	for range 4 {
		if _, err := p.read(); err != nil {
			t.Fatal(err)
		}
	}
	f.stop()
	_ = p.socket.Close()
	_, err := calling.wait(t)
	failsWith(t, err, coagent.Unavailable, "connection_lost")
	_, err = reply.Next(within(t))
	failsWith(t, err, coagent.Unavailable, "connection_lost")
	failsWith(t, exchange.Send(within(t), 1), coagent.Unavailable, "connection_lost")
	_, err = sending.wait(t)
	failsWith(t, err, coagent.Unavailable, "connection_lost")

	// What is called meanwhile waits for the next connection.
	waiting := begin(func() (*value, error) { return client.Call(within(t), "y", nil) })
	f.listen()
	again := f.accept()
	again.next("hello")
	again.registered("a")
	again.registered("b")
	again.send(fields{"op": "welcome", "v": 1, "connection": "c2", "max_content": 1 << 20}, "")
	call := again.next("call")
	equal(t, call.text("to"), "y")
	again.data(call.id(), "1", fields{"end": true})
	waiting.ok(t)
	again.call("b", "x", asText)
	equal(t, string(again.next("data").content), "X")
}

func TestACallWaitsForAConnectionWithinItsTime(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	f.stop()
	_ = p.socket.Close()
	must(client.Start(within(t), "a", nil)) // It may be written, or wait, or fail: nothing hangs.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	_, err := client.Call(ctx, "a", nil)
	if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, coagent.ErrUnavailable) {
		t.Error(err)
	}
}

func TestAReconnectThatIsRefusedEndsTheClient(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	serving := begin(func() (int, error) { return 0, client.Serve(within(t)) })
	_ = p.socket.Close()
	again := f.accept()
	again.next("hello")
	again.send(fields{"op": "error", "code": "unauthenticated", "reason": "bad_token"}, "")
	_, err := serving.wait(t)
	failsWith(t, err, coagent.Unauthenticated, "bad_token")
	_, err = client.Call(within(t), "a", nil)
	failsWith(t, err, coagent.Unauthenticated, "bad_token")
	_, err = client.Register(within(t), "a", coagent.Func(upper))
	failsWith(t, err, coagent.Unauthenticated, "bad_token")
}

func TestWhatTheSidecarSaidBeforeItClosedIsTheReason(t *testing.T) {
	client, p := linked(t)
	calling := begin(func() (*value, error) { return client.Call(within(t), "a", nil) })
	p.next("call")
	p.send(fields{"op": "error", "code": "unavailable", "reason": "heartbeat_timeout"}, "")
	_ = p.socket.Close()
	_, err := calling.wait(t)
	failed := failsWith(t, err, coagent.Unavailable, "connection_lost")
	failsWith(t, errors.Unwrap(failed), coagent.Unavailable, "heartbeat_timeout")
}

func TestPingsAreAnsweredAndSilenceIsAsked(t *testing.T) {
	f := newFakeSidecar(t)
	connecting := begin(func() (*coagent.Client, error) {
		return coagent.Connect(within(t), f.url(), quiet())
	})
	p := f.accept()
	p.next("hello")
	p.send(fields{"op": "welcome", "v": 1, "connection": "c1", "heartbeat_ms": 20}, "")
	client := connecting.ok(t)
	defer client.Close()
	calling := begin(func() (*value, error) {
		return client.Call(within(t), "a", nil, coagent.WithoutTimeout())
	})
	pings := 0
	for {
		g, err := p.read()
		if err != nil {
			break // It was silent for three heartbeats.
		}
		if g.text("op") == "ping" {
			pings++
		}
	}
	if pings < 1 {
		t.Error("no ping")
	}
	_, err := calling.wait(t)
	failed := failsWith(t, err, coagent.Unavailable, "connection_lost")
	failsWith(t, errors.Unwrap(failed), coagent.Unavailable, "heartbeat_timeout")
	f.welcome()
}

func TestASidecarThatDrainsGetsNoNewCalls(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	running := begin(func() (*value, error) { return client.Call(within(t), "a", nil) })
	id := p.next("call").id()
	p.send(fields{"op": "goodbye", "reason": "shutdown", "timeout_ms": 10_000}, "")
	p.nothing()
	waiting := begin(func() (*value, error) { return client.Call(within(t), "b", nil) })
	p.nothing()
	p.data(id, "1", fields{"end": true})
	running.ok(t)
	_ = p.socket.Close()
	again := f.welcome()
	again.data(again.next("call").id(), "2", fields{"end": true})
	equal(t, waiting.ok(t).Text(), "2")
}

func TestClosingEndsEverything(t *testing.T) {
	client, p := linked(t)
	begun, ended := make(chan struct{}), make(chan error, 1)
	host(t, client, p, "a", coagent.Handler(
		func(ctx context.Context, _ *coagent.Request, _ *coagent.Sender) error {
			close(begun)
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return nil
		}))
	p.call("a", "")
	await(t, begun)
	calling := begin(func() (*value, error) { return client.Call(within(t), "x", nil) })
	p.next("call")
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	failsWith(t, await(t, ended), coagent.Unavailable, "connection_lost")
	_, err := calling.wait(t)
	failsWith(t, err, coagent.Unavailable, "connection_lost")
	p.next("goodbye")
	p.closed()
	_, err = client.Call(within(t), "x", nil)
	failsWith(t, err, coagent.Unavailable, "connection_lost")
	equal(t, client.Close(), nil)
}

func TestDrainingLetsWhatRunsFinish(t *testing.T) {
	client, p := linked(t)
	begun, leave := make(chan struct{}, 2), make(chan struct{})
	host(t, client, p, "a", coagent.Func(func(context.Context, struct{}) (string, error) {
		begun <- struct{}{}
		<-leave
		return "done", nil
	}))
	p.call("a", "")
	await(t, begun)
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	draining := begin(func() (int, error) { return 0, client.Drain(ctx) })
	goodbye := p.next("goodbye")
	equal(t, goodbye.text("reason"), "drain")
	if left, _ := goodbye.header["timeout_ms"].(float64); left < 1 || left > 20_000 {
		t.Error(left)
	}
	p.next("ping")
	p.call("a", "") // It had been sent before the goodbye was read.
	p.send(fields{"op": "pong"}, "")
	close(leave)
	equal(t, string(p.next("data").content), "done")
	equal(t, string(p.next("data").content), "done")
	draining.ok(t)
	p.next("goodbye")
	p.closed()
}

func TestServingEndsWithItsContext(t *testing.T) {
	client, p := linked(t)
	ctx, cancel := context.WithCancel(context.Background())
	serving := begin(func() (int, error) { return 0, client.Serve(ctx) })
	cancel()
	equal(t, p.next("goodbye").text("reason"), "drain")
	p.next("ping")
	p.send(fields{"op": "pong"}, "")
	serving.ok(t)
	p.next("goodbye")
	p.closed()
}
