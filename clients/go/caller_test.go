package coagent_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

type value = coagent.Value

func TestACallSaysWhatItIsGiven(t *testing.T) {
	client, p := linked(t)
	calling := begin(func() (*value, error) {
		return client.Call(context.Background(), "billing:ann", "pay",
			coagent.WithType("Order"), coagent.WithContentType("text/x-order"),
			coagent.WithExt(fields{"user": "é\"", "sure": true, "count": 7}),
			coagent.WithTrace("00-ab-cd-01"), coagent.WithSender("shop"), coagent.WithWindow(1))
	})
	call := p.next("call")
	left, _ := call.header["timeout_ms"].(float64)
	if left < 25_000 || left > 30_000 {
		t.Errorf("a time of %v", left)
	}
	delete(call.header, "timeout_ms")
	p.is(call, fields{"op": "call", "id": 1, "to": "billing:ann", "type": "Order",
		"content_type": "text/x-order", "ext": fields{"user": "é\"", "sure": true, "count": 7},
		"trace": "00-ab-cd-01", "from": "shop", "window": 1})
	equal(t, string(call.content), "pay")
	p.data(1, "done", fields{"content_type": "text/plain", "end": true})
	equal(t, calling.ok(t).Text(), "done")
}

func TestValuesTravelAsWhatTheyAre(t *testing.T) {
	type Person struct {
		Name string `json:"name"`
	}
	client, p := linked(t)
	for _, each := range []struct {
		body    any
		header  fields
		content string
	}{
		{nil, fields{}, ""},
		{"é", fields{"content_type": "text/plain"}, "é"},
		{[]byte{0, 255}, fields{"content_type": "application/octet-stream"}, "\x00\xff"},
		{map[string]any{"a": "<>"}, fields{}, `{"a":"<>"}`},
		{Person{"Ann"}, fields{"type": "Person"}, `{"name":"Ann"}`},
		{&Person{"Ann"}, fields{"type": "Person"}, `{"name":"Ann"}`},
		{[]int{1, 2}, fields{}, `[1,2]`},
		{1.5, fields{}, `1.5`},
		{coagent.Message{Content: []byte("x"), ContentType: "a/b", Type: "T",
			Ext: fields{"k": int64(1)}},
			fields{"content_type": "a/b", "type": "T", "ext": fields{"k": 1}}, "x"},
	} {
		calling := begin(func() (*value, error) {
			return client.Call(context.Background(), "a", each.body, coagent.WithoutTimeout())
		})
		call := p.next("call")
		wanted := fields{"op": "call", "to": "a"}
		for key, value := range each.header {
			wanted[key] = value
		}
		p.is(call, wanted)
		equal(t, string(call.content), each.content)
		p.data(call.id(), "", fields{"end": true})
		if !calling.ok(t).IsNone() {
			t.Error("an answer")
		}
	}
}

func TestOneValueIsMadeOfWhatComes(t *testing.T) {
	client, p := linked(t)
	answer := func(send func(id int)) *value {
		t.Helper()
		calling := begin(func() (*value, error) { return client.Call(within(t), "a", nil) })
		send(p.next("call").id())
		return calling.ok(t)
	}
	text := fields{"content_type": "text/plain"}
	joined := answer(func(id int) {
		p.data(id, "one ", text)
		p.data(id, "two", text)
		p.data(id, "", fields{"end": true})
	})
	equal(t, joined.Text(), "one two")
	listed := answer(func(id int) {
		p.data(id, "1")
		p.data(id, "two", text)
		p.data(id, "null", fields{"end": true})
	})
	var values []any
	if err := listed.Decode(&values); err != nil {
		t.Fatal(err)
	}
	if len(values) != 3 || values[0] != 1.0 || values[1] != "two" || values[2] != nil {
		t.Error(values)
	}
	none := answer(func(id int) { p.data(id, "", fields{"end": true}) })
	equal(t, none.IsNone(), true)
	var pointer *int
	if err := none.Decode(&pointer); err != nil || pointer != nil {
		t.Error(err, pointer)
	}
	var number int
	failsWith(t, none.Decode(&number), coagent.InvalidArgument, "bad_content")
	empty := answer(func(id int) {
		p.data(id, "", fields{"end": true, "content_type": "text/plain"})
	})
	equal(t, len(empty.Messages), 1)
}

func TestDecodedCalls(t *testing.T) {
	client, p := linked(t)
	calling := begin(func() ([]int, error) {
		return coagent.CallAs[[]int](within(t), client, "a", nil)
	})
	p.data(p.next("call").id(), "[1,2]", fields{"end": true})
	if numbers := calling.ok(t); len(numbers) != 2 || numbers[1] != 2 {
		t.Error(numbers)
	}
	unfit := begin(func() (int, error) { return coagent.CallAs[int](within(t), client, "a", nil) })
	p.data(p.next("call").id(), `"no"`, fields{"end": true})
	_, err := unfit.wait(t)
	failsWith(t, err, coagent.InvalidArgument, "bad_content")
}

func TestErrorsHaveCodeReasonDetailsAndCauses(t *testing.T) {
	client, p := linked(t)
	calling := begin(func() (*value, error) { return client.Call(within(t), "a:b", nil) })
	p.fail(p.next("call").id(), "internal", "agent_error", fields{"details": fields{
		"type": "ValueError", "causes": "KeyError: 'a' <- OSError: b: c <- Odd", "n": 3}})
	_, err := calling.wait(t)
	failed := failsWith(t, err, coagent.Internal, "agent_error")
	equal(t, failed.Address, "a:b")
	equal(t, failed.Message, "because")
	equal(t, failed.Details["n"], any(int64(3)))
	var causes []string
	for cause := errors.Unwrap(failed); cause != nil; cause = errors.Unwrap(cause) {
		causes = append(causes, cause.Error())
	}
	equal(t, strings.Join(causes, "|"), "KeyError: 'a'|OSError: b: c|Odd")
	if !errors.Is(err, coagent.ErrInternal) || errors.Is(err, coagent.ErrNotFound) {
		t.Error("sentinels")
	}
	if !errors.Is(err, &coagent.Error{Code: coagent.Internal, Reason: "agent_error"}) {
		t.Error("by reason")
	}
	unknown := begin(func() (*value, error) { return client.Call(within(t), "a", nil) })
	p.fail(p.next("call").id(), "made_up", "odd")
	_, err = unknown.wait(t)
	failsWith(t, err, coagent.Internal, "odd")
}

func TestWhatCannotBeSentIsRefusedHere(t *testing.T) {
	client, p := linked(t)
	ctx := within(t)
	for _, each := range []struct {
		reason string
		call   func() (*value, error)
	}{
		{"bad_address", func() (*value, error) { return client.Call(ctx, "a b", nil) }},
		{"bad_address", func() (*value, error) { return client.Call(ctx, "a:", nil) }},
		{"bad_address", func() (*value, error) { return client.Call(ctx, "", nil) }},
		{"bad_address", func() (*value, error) { return client.Call(ctx, "a..b", nil) }},
		{"bad_address", func() (*value, error) {
			return client.Call(ctx, "a", nil, coagent.WithSender("no name"))
		}},
		{"bad_content", func() (*value, error) { return client.Call(ctx, "a", make(chan int)) }},
		{"bad_content", func() (*value, error) { return client.Call(ctx, "a", "\xff") }},
		{"bad_field", func() (*value, error) {
			return client.Call(ctx, "a", nil, coagent.WithExt(fields{"k": 1.5}))
		}},
		{"bad_field", func() (*value, error) {
			return client.Call(ctx, "a", nil, coagent.WithExt(fields{"k\n": 1}))
		}},
		{"bad_field", func() (*value, error) {
			return client.Call(ctx, "a", nil, coagent.WithExt(fields{"k": strings.Repeat("x", 9000)}))
		}},
		{"too_large", func() (*value, error) {
			return client.Call(ctx, "a", nil, coagent.WithType(strings.Repeat("x", 40_000)))
		}},
	} {
		_, err := each.call()
		failsWith(t, err, coagent.InvalidArgument, each.reason)
	}
	p.nothing()
}

func TestAFirstMessageOverTheLimitGoesInParts(t *testing.T) {
	f := newFakeSidecar(t)
	connecting := begin(func() (*coagent.Client, error) {
		return coagent.Connect(within(t), f.url(), quiet())
	})
	p := f.welcome(fields{"max_content": 1000})
	client := connecting.ok(t)
	defer client.Close()
	text := strings.Repeat("é", 700)
	calling := begin(func() (*value, error) { return client.Call(within(t), "a", text) })
	call := p.next("call")
	equal(t, call.header["input"], any(true))
	equal(t, len(call.content), 0)
	first, last := p.next("data"), p.next("data")
	p.is(first, fields{"op": "data", "content_type": "text/plain", "part": true})
	p.is(last, fields{"op": "data", "end": true})
	equal(t, string(first.content)+string(last.content), text)
	p.data(call.id(), "1", fields{"end": true})
	calling.ok(t)
}

func TestTheDeadlineOfTheContextTravelsAndEndsTheCall(t *testing.T) {
	client, p := linked(t)
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Millisecond)
	defer cancel()
	calling := begin(func() (*value, error) { return client.Call(ctx, "a", nil) })
	call := p.next("call")
	if left, _ := call.header["timeout_ms"].(float64); left < 1 || left > 40 {
		t.Errorf("a time of %v", left)
	}
	_, err := calling.wait(t)
	failsWith(t, err, coagent.DeadlineExceeded, "deadline")
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, coagent.ErrDeadlineExceeded) {
		t.Error(err)
	}
	// The sidecar ends it too. One that does not is told, a second late.
	cancelled := p.next("cancel")
	equal(t, cancelled.id(), call.id())
	p.data(call.id(), "late", fields{"end": true})
	p.nothing()
}

func TestAnEndedContextMakesNoCall(t *testing.T) {
	client, p := linked(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("no need"))
	_, err := client.Call(ctx, "a", nil)
	failsWith(t, err, coagent.Cancelled, "cancelled")
	if !errors.Is(err, context.Canceled) || !strings.Contains(errors.Unwrap(err).Error(), "no need") {
		t.Error(errors.Unwrap(err))
	}
	late, cancelLate := context.WithTimeout(context.Background(), 0)
	defer cancelLate()
	_, err = client.Call(late, "a", nil)
	failsWith(t, err, coagent.DeadlineExceeded, "deadline")
	p.nothing()
}

func TestCancellingTheContextCancelsTheCall(t *testing.T) {
	client, p := linked(t)
	ctx, cancel := context.WithCancel(context.Background())
	calling := begin(func() (*value, error) { return client.Call(ctx, "a", nil) })
	call := p.next("call")
	cancel()
	_, err := calling.wait(t)
	failsWith(t, err, coagent.Cancelled, "cancelled")
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	p.is(p.next("cancel"), fields{"op": "cancel", "id": call.id()})
	p.fail(call.id(), "cancelled", "cancelled")
	p.nothing()
}

func TestACallThatNoAgentSawIsMadeAgain(t *testing.T) {
	client, p := linked(t, coagent.WithRepeats(2))
	retry := fields{"retry": true}
	calling := begin(func() (*value, error) { return client.Call(within(t), "a", "x") })
	for _, id := range []int{1, 3} {
		call := p.next("call")
		equal(t, call.id(), id)
		equal(t, string(call.content), "x")
		p.fail(id, "unavailable", "no_replica", retry)
	}
	p.data(p.next("call").id(), "1", fields{"end": true})
	calling.ok(t)

	given := begin(func() (*value, error) { return client.Call(within(t), "a", nil) })
	for range 3 {
		p.fail(p.next("call").id(), "unavailable", "no_replica", retry)
	}
	_, err := given.wait(t)
	equal(t, failsWith(t, err, coagent.Unavailable, "no_replica").Retry, true)
	p.nothing()
}

func TestWhatMayHaveBeenDoneIsNotRepeated(t *testing.T) {
	client, p := linked(t)
	lost := begin(func() (*value, error) { return client.Call(within(t), "a", nil) })
	p.fail(p.next("call").id(), "unavailable", "host_lost")
	_, err := lost.wait(t)
	failsWith(t, err, coagent.Unavailable, "host_lost")

	begun := begin(func() (*value, error) { return client.Call(within(t), "a", nil) })
	id := p.next("call").id()
	p.data(id, "1")
	p.fail(id, "unavailable", "draining", fields{"retry": true})
	_, err = begun.wait(t)
	failsWith(t, err, coagent.Unavailable, "draining")

	exchange := must(client.Open(within(t), "a", "first"))(t)
	p.fail(p.next("call").id(), "unavailable", "no_replica", fields{"retry": true})
	_, err = exchange.Next(within(t))
	failsWith(t, err, coagent.Unavailable, "no_replica")
	p.nothing()
}

func TestACallIsNotRepeatedOnceItsContextEnded(t *testing.T) {
	client, p := linked(t)
	ctx, cancel := context.WithCancel(context.Background())
	calling := begin(func() (*value, error) {
		return client.Call(ctx, "a", nil, coagent.WithoutTimeout())
	})
	p.fail(p.next("call").id(), "resource_exhausted", "mailbox_full",
		fields{"retry": true, "details": fields{"retry_after_ms": 60_000}})
	p.nothing() // The client has read the error, and waits.
	cancel()
	_, err := calling.wait(t)
	failsWith(t, err, coagent.Cancelled, "cancelled")
	p.nothing()
}
