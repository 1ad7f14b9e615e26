package coagent_test

import (
	"context"
	"strings"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
)

func TestMessagesGoBothWays(t *testing.T) {
	client, p := linked(t)
	ctx := within(t)
	exchange := must(client.Open(ctx, "a", "first", coagent.WithType("Talk")))(t)
	call := p.next("call")
	equal(t, call.header["input"], any(true))
	equal(t, string(call.content), "first")
	for _, body := range []any{2, "three", []byte("4"), nil} {
		if err := exchange.Send(ctx, body); err != nil {
			t.Fatal(err)
		}
	}
	p.is(p.next("data"), fields{"op": "data"})
	p.is(p.next("data"), fields{"op": "data", "content_type": "text/plain"})
	p.is(p.next("data"), fields{"op": "data", "content_type": "application/octet-stream"})
	equal(t, string(p.next("data").content), "null")
	p.data(call.id(), "answer", asText)
	equal(t, must(exchange.Next(ctx))(t).Text(), "answer")
	if err := exchange.End(ctx); err != nil {
		t.Fatal(err)
	}
	end := p.next("data")
	p.is(end, fields{"op": "data", "end": true})
	failsWith(t, exchange.Send(ctx, 1), coagent.FailedPrecondition, "call_ended")
	if err := exchange.End(ctx); err != nil {
		t.Error(err)
	}
	p.data(call.id(), "", fields{"end": true})
	must(exchange.Value(ctx))(t)
	p.nothing()
}

func TestAnOpenCallNeedsNoFirstMessage(t *testing.T) {
	client, p := linked(t)
	exchange := must(client.Open(context.Background(), "a", nil))(t)
	call := p.next("call")
	p.is(call, fields{"op": "call", "to": "a", "input": true})
	equal(t, len(call.content), 0)
	exchange.Close()
	equal(t, p.next("cancel").id(), call.id())
	failsWith(t, exchange.Send(within(t), 1), coagent.Cancelled, "cancelled")
}

func TestSendingWaitsForCredit(t *testing.T) {
	client, p := linked(t)
	ctx := within(t)
	exchange := must(client.Open(ctx, "a", nil))(t)
	id := p.next("call").id()
	large := strings.Repeat("x", 1<<20)
	sending := begin(func() (int, error) { return 0, exchange.Send(ctx, large) })
	// Four parts of 256 KiB and their cost overdraw a window of 1 MiB.
	size := 0
	for range 4 {
		size += len(p.next("data").content)
	}
	equal(t, size, len(large))
	sending.ok(t)
	waiting := begin(func() (int, error) { return 0, exchange.Send(ctx, "more") })
	p.nothing()
	select {
	case <-waiting.done:
		t.Fatal("it did not wait")
	default:
	}
	p.send(fields{"op": "credit", "id": id, "bytes": 5000}, "")
	equal(t, string(p.next("data").content), "more")
	waiting.ok(t)
}

func TestSendersTakeTurns(t *testing.T) {
	client, p := linked(t)
	ctx := within(t)
	exchange := must(client.Open(ctx, "a", nil))(t)
	id := p.next("call").id()
	large := begin(func() (int, error) { return 0, exchange.Send(ctx, strings.Repeat("x", 3<<19)) })
	for range 4 {
		p.next("data")
	}
	// The large one waits for credit; a small one does not come between its parts.
	small := begin(func() (int, error) { return 0, exchange.Send(ctx, "small") })
	p.nothing()
	p.send(fields{"op": "credit", "id": id, "bytes": 1 << 20}, "")
	p.is(p.next("data"), fields{"op": "data", "part": true})
	p.is(p.next("data"), fields{"op": "data"})
	large.ok(t)
	equal(t, string(p.next("data").content), "small")
	small.ok(t)
}

func TestASenderThatGivesUpLetsOthersOn(t *testing.T) {
	client, p := linked(t)
	exchange := must(client.Open(within(t), "a", nil))(t)
	id := p.next("call").id()
	if err := exchange.Send(within(t), strings.Repeat("x", 1<<20)); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		p.next("data")
	}
	ctx, cancel := context.WithCancel(context.Background())
	first := begin(func() (int, error) { return 0, exchange.Send(ctx, "first") })
	cancel()
	_, err := first.wait(t)
	failsWith(t, err, coagent.Cancelled, "cancelled")
	second := begin(func() (int, error) { return 0, exchange.Send(within(t), "second") })
	p.send(fields{"op": "credit", "id": id, "bytes": 1 << 20}, "")
	equal(t, string(p.next("data").content), "second")
	second.ok(t)
}

func TestNothingFollowsAMessageThatStoppedInTheMiddle(t *testing.T) {
	client, p := linked(t)
	exchange := must(client.Open(within(t), "a", nil))(t)
	p.next("call")
	ctx, cancel := context.WithCancel(context.Background())
	sending := begin(func() (int, error) { return 0, exchange.Send(ctx, strings.Repeat("x", 3<<19)) })
	for range 4 {
		p.next("data")
	}
	p.nothing()
	cancel()
	_, err := sending.wait(t)
	failsWith(t, err, coagent.Cancelled, "cancelled")
	failsWith(t, exchange.Send(within(t), 1), coagent.FailedPrecondition, "call_ended")
	p.nothing()
}

func TestTheEndOfTheCallEndsItsSenders(t *testing.T) {
	client, p := linked(t)
	ctx := within(t)
	exchange := must(client.Open(ctx, "a", nil))(t)
	id := p.next("call").id()
	sending := begin(func() (int, error) { return 0, exchange.Send(ctx, strings.Repeat("x", 3<<19)) })
	for range 4 {
		p.next("data")
	}
	p.fail(id, "aborted", "enough")
	_, err := sending.wait(t)
	failsWith(t, err, coagent.Aborted, "enough")
	_, err = exchange.Next(ctx)
	failsWith(t, err, coagent.Aborted, "enough")

	done := must(client.Open(ctx, "a", nil))(t)
	p.data(p.next("call").id(), "1", fields{"end": true})
	must(done.Value(ctx))(t)
	failsWith(t, done.Send(ctx, 1), coagent.FailedPrecondition, "call_ended")
	if err := done.End(ctx); err != nil {
		t.Error(err)
	}
	p.nothing()
}

func TestTextIsCutBetweenCharacters(t *testing.T) {
	client, p := linked(t)
	ctx := within(t)
	exchange := must(client.Open(ctx, "a", nil))(t)
	p.next("call")
	text := "x" + strings.Repeat("é", 1<<18)
	if err := exchange.Send(ctx, text); err != nil {
		t.Fatal(err)
	}
	joined := ""
	for len(joined) < len(text) {
		piece := p.next("data").content
		if len(piece) > 256*1024 || strings.ToValidUTF8(string(piece), "?") != string(piece) {
			t.Fatal("cut inside a character")
		}
		joined += string(piece)
	}
	equal(t, joined == text, true)
}

func TestSendsAreAcknowledged(t *testing.T) {
	client, p := linked(t)
	ctx := within(t)
	sending := begin(func() (int, error) {
		return 0, client.Send(ctx, "a:s", "note", coagent.Observe(), coagent.WithType("Note"),
			coagent.Expires(1500*1e6))
	})
	send := p.next("send")
	p.is(send, fields{"op": "send", "id": 1, "to": "a:s", "type": "Note", "timeout_ms": 1500,
		"content_type": "text/plain", "observe": true})
	p.send(fields{"op": "ok", "id": send.id()}, "")
	sending.ok(t)

	refused := begin(func() (int, error) { return 0, client.Send(ctx, "a", nil) })
	p.fail(p.next("send").id(), "not_found", "unknown_agent")
	_, err := refused.wait(t)
	failsWith(t, err, coagent.NotFound, "unknown_agent")

	again := begin(func() (int, error) { return 0, client.Send(ctx, "a", nil) })
	p.fail(p.next("send").id(), "resource_exhausted", "mailbox_full", fields{"retry": true})
	p.send(fields{"op": "ok", "id": p.next("send").id()}, "")
	again.ok(t)
}

func TestSendsNeedNoAnswer(t *testing.T) {
	client, p := linked(t)
	if err := client.Send(within(t), "a", 1, coagent.WithoutAck()); err != nil {
		t.Fatal(err)
	}
	p.is(p.next("send"), fields{"op": "send", "to": "a"})
	err := client.Send(within(t), "a", make([]byte, 17<<20))
	failsWith(t, err, coagent.InvalidArgument, "too_large")
	p.nothing()
}

func TestASendMayGiveUpWaiting(t *testing.T) {
	client, p := linked(t)
	ctx, cancel := context.WithCancel(context.Background())
	sending := begin(func() (int, error) { return 0, client.Send(ctx, "a", 1) })
	id := p.next("send").id()
	cancel()
	_, err := sending.wait(t)
	failsWith(t, err, coagent.Cancelled, "cancelled")
	p.send(fields{"op": "ok", "id": id}, "")
	p.nothing()
}
