package coagent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
)

// hosted registers an agent on a fresh connection and returns that one's other end.
func hosted(t *testing.T, agent coagent.Agent, options ...coagent.RegisterOption) *peer {
	t.Helper()
	client, p := linked(t)
	host(t, client, p, "a", agent, options...)
	return p
}

func host(
	t *testing.T, client *coagent.Client, p *peer, name string, agent coagent.Agent,
	options ...coagent.RegisterOption,
) (*coagent.Registration, got) {
	t.Helper()
	registering := begin(func() (*coagent.Registration, error) {
		return client.Register(within(t), name, agent, options...)
	})
	register := p.registered(name)
	return registering.ok(t), register
}

func upper(_ context.Context, text string) (string, error) { return strings.ToUpper(text), nil }

func TestAFunctionAnswersWithItsValue(t *testing.T) {
	p := hosted(t, coagent.Func(upper))
	id := p.call("a", "hi", asText)
	answer := p.next("data")
	p.is(answer, fields{"op": "data", "id": id, "content_type": "text/plain", "end": true})
	equal(t, string(answer.content), "HI")
	p.call("a", `"json"`)
	equal(t, string(p.next("data").content), "JSON")
}

func TestOutputsTravelAsWhatTheyAre(t *testing.T) {
	type Answer struct{ N int }
	for _, each := range []struct {
		output  any
		header  fields
		content string
	}{
		{nil, fields{"op": "data", "end": true}, ""},
		{struct{}{}, fields{"op": "data", "end": true}, ""},
		{(*Answer)(nil), fields{"op": "data", "end": true}, ""},
		{Answer{1}, fields{"op": "data", "type": "Answer", "end": true}, `{"N":1}`},
		{"", fields{"op": "data", "content_type": "text/plain", "end": true}, ""},
		{[]byte("b"), fields{"op": "data", "content_type": "application/octet-stream", "end": true}, "b"},
		{coagent.Message{ContentType: coagent.JSON},
			fields{"op": "data", "content_type": "application/json", "end": true}, ""},
	} {
		p := hosted(t, coagent.Func(func(context.Context, struct{}) (any, error) {
			return each.output, nil
		}))
		p.call("a", "")
		answer := p.next("data")
		p.is(answer, each.header)
		equal(t, string(answer.content), each.content)
	}
}

func TestContentThatDoesNotFitIsRefusedBeforeTheAgentRuns(t *testing.T) {
	type Order struct {
		Item  string  `json:"item"`
		Count *int    `json:"count"`
		Notes []Order `json:"notes,omitempty"`
	}
	p := hosted(t, coagent.Func(func(_ context.Context, order Order) (string, error) {
		return order.Item, nil
	}))
	for _, content := range []string{
		`{"item":1}`, `[]`, `{`, ``, `null`, `{"count":1}`, `{"item":null}`,
		`{"item":"x","notes":[{"count":2}]}`, `{"item":"x","count":1.5}`,
	} {
		p.call("a", content)
		refused := p.next("error")
		if refused.text("code")+"/"+refused.text("reason") != "invalid_argument/bad_content" {
			t.Errorf("%s: %v", content, refused.header)
		}
	}
	p.call("a", "text", asText)
	equal(t, p.next("error").text("reason"), "bad_content")
	p.call("a", `{"Item":"x","notes":[{"item":"y"}]}`)
	equal(t, string(p.next("data").content), "x")
}

func TestAStreamIsNotResumedWithoutCredit(t *testing.T) {
	resumed := make(chan int, 100)
	p := hosted(t, coagent.StreamFunc(func(_ context.Context, count int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for n := range count {
				resumed <- n
				if !yield(n, nil) {
					return
				}
			}
		}
	}))
	id := p.call("a", "9", fields{"window": 300})
	equal(t, string(p.next("data").content), "0")
	equal(t, string(p.next("data").content), "1") // It overdraws the window.
	p.nothing()
	equal(t, await(t, resumed)+await(t, resumed)+await(t, resumed), 3)
	equal(t, len(resumed), 0)
	p.send(fields{"op": "credit", "id": id, "bytes": 215}, "")
	equal(t, string(p.next("data").content), "2")
	p.nothing()
	p.send(fields{"op": "credit", "id": id, "bytes": 9999}, "")
	for n := 3; n < 9; n++ {
		p.next("data")
	}
	p.is(p.next("data"), fields{"op": "data", "end": true})
}

func TestAHandlerSendsWhatItLikes(t *testing.T) {
	p := hosted(t, coagent.Handler(
		func(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
			steps := []error{
				out.SendPart(ctx, "Hel"),
				out.SendPart(ctx, coagent.Message{Content: []byte("lo"), ContentType: coagent.Text}),
				out.Send(ctx, nil),
				out.SendPart(ctx, "torn"),
				out.SendError(ctx, coagent.Errorf(coagent.Aborted, "odd", "no page %d", 2)),
				out.SendLast(ctx, 3),
			}
			failed := out.Send(ctx, "nothing follows")
			if failed == nil {
				return errors.New("something followed")
			}
			return errors.Join(steps...)
		}))
	p.call("a", "")
	p.is(p.next("data"), fields{"op": "data", "content_type": "text/plain", "part": true})
	p.is(p.next("data"), fields{"op": "data", "part": true})
	p.is(p.next("data"), fields{"op": "data"})
	equal(t, string(p.next("data").content), "null")
	equal(t, p.next("data").header["part"], any(true))
	p.is(p.next("error"), fields{"op": "error", "code": "aborted", "reason": "odd",
		"message": "no page 2", "more": true})
	last := p.next("data")
	p.is(last, fields{"op": "data", "end": true})
	p.nothing()
}

func TestPartsEndWithTheReply(t *testing.T) {
	p := hosted(t, coagent.Handler(
		func(ctx context.Context, _ *coagent.Request, out *coagent.Sender) error {
			return out.SendPart(ctx, []byte("piece"))
		}))
	p.call("a", "")
	equal(t, p.next("data").header["part"], any(true))
	end := p.next("data")
	p.is(end, fields{"op": "data", "content_type": "text/plain", "end": true})
	equal(t, len(end.content), 0)
}

func TestErrorsOfAgentsTravel(t *testing.T) {
	failing := make(chan error, 1)
	p := hosted(t, coagent.Func(
		func(context.Context, struct{}) (any, error) { return nil, <-failing }))
	known := coagent.Errorf(coagent.NotFound, "no_user", "user %d: %w", 3, errors.New("no row"))
	known.Details = map[string]any{"user": 3, "odd": 1.5}
	fromAnother := &coagent.Error{Code: coagent.Aborted, Reason: "torn", Message: "m", Address: "b:x"}
	for _, each := range []struct {
		err    error
		header fields
	}{
		{known, fields{"code": "not_found", "reason": "no_user", "message": "user 3: no row",
			"details": fields{"user": 3, "odd": "1.5", "causes": "errors.errorString: no row"}}},
		{fmt.Errorf("again: %w", coagent.ErrAborted),
			fields{"code": "aborted", "message": "again: aborted"}},
		{fromAnother, fields{"code": "aborted", "reason": "torn", "message": "m",
			"details": fields{"agent": "b:x"}}},
		{&fs.PathError{Op: "open", Path: "f", Err: fmt.Errorf("why: %w", errors.New("because"))},
			fields{"code": "internal", "reason": "agent_error", "message": "open f: why: because",
				"details": fields{"type": "fs.PathError",
					"causes": "fmt.wrapError: why: because <- errors.errorString: because"}}},
		{&coagent.Error{Code: "made_up", Message: "x"}, fields{"code": "internal", "message": "x"}},
		{context.DeadlineExceeded, fields{"code": "internal", "reason": "agent_error",
			"message": "context deadline exceeded",
			"details": fields{"type": "context.deadlineExceededError"}}},
	} {
		failing <- each.err
		id := p.call("a", "")
		each.header["op"], each.header["id"] = "error", id
		p.is(p.next("error"), each.header)
	}
}

func TestErrorsAreCutToWhatAHeaderHolds(t *testing.T) {
	failing := make(chan error, 1)
	p := hosted(t, coagent.Func(
		func(context.Context, struct{}) (any, error) { return nil, <-failing }))
	details := map[string]any{"bad\nkey": "x"}
	for n := range 100 {
		details[fmt.Sprint("key", n)] = strings.Repeat("é", 3000)
	}
	failing <- &coagent.Error{Code: coagent.Aborted, Reason: strings.Repeat("r", 999),
		Message: strings.Repeat("\x00é", 90_000), Details: details}
	p.call("a", "")
	failed := p.next("error")
	if text := failed.text("message"); len(text) > 4096 || !strings.HasSuffix(text, "…") {
		t.Error(len(text))
	}
	kept, _ := failed.header["details"].(map[string]any)
	if encoded, _ := json.Marshal(kept); len(kept) == 0 || len(encoded) > 8192 {
		t.Error(len(kept), len(encoded))
	}
	failing <- errors.New("\xff not UTF-8")
	p.call("a", "")
	equal(t, p.next("error").text("message"), "\uFFFD not UTF-8")
}

func TestAPanicIsThatCallsError(t *testing.T) {
	p := hosted(t, coagent.Func(func(_ context.Context, n int) (int, error) {
		return []int{1, 2}[n], nil
	}))
	p.call("a", "5")
	failed := p.next("error")
	equal(t, failed.text("reason"), "agent_error")
	if !strings.Contains(failed.text("message"), "panic: runtime error: index out of range") {
		t.Error(failed.header)
	}
	p.call("a", "1")
	equal(t, string(p.next("data").content), "2")
}

func TestARequestSaysWhatItIs(t *testing.T) {
	said := make(chan string, 1)
	client, p := linked(t)
	host(t, client, p, "a", coagent.Handler(
		func(ctx context.Context, r *coagent.Request, _ *coagent.Sender) error {
			left, hasLeft := r.TimeLeft()
			again, found := coagent.FromContext(ctx)
			said <- fmt.Sprintln(r.Address(), r.Name(), r.Session(), r.Sender(), r.Type(), r.Trace(),
				r.Ext()["k"], r.IsNew(), r.IsSend(), r.IsObservation(), r.HasMessage(),
				hasLeft && left > 0 && left <= 5e9, found && again == r, r.Client() == client, r.Text())
			return nil
		}))
	p.call("a:ann", "x", fields{"from": "b", "type": "T", "trace": "tr", "ext": fields{"k": 1},
		"new": true, "oneway": true, "observe": true, "timeout_ms": 5000, "content_type": "text/plain"})
	equal(t, await(t, said), "a:ann a ann b T tr 1 true true true true true true true x\n")
	p.next("data")
	p.call("a", "")
	equal(t, await(t, said), "a a     <nil> false false false false false true true \n")
	p.next("data")
}

func TestInputComesAsItIsRead(t *testing.T) {
	p := hosted(t, coagent.Handler(
		func(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
			for message, err := range request.Messages() {
				if err != nil {
					return err
				}
				if err := out.Send(ctx, message.Text()+"!"); err != nil {
					return err
				}
			}
			return nil
		}))
	id := p.call("a", "one", asText, fields{"input": true})
	equal(t, string(p.next("data").content), "one!")
	p.data(id, "t", fields{"part": true, "content_type": "text/plain"})
	p.data(id, "wo")
	equal(t, string(p.next("data").content), "two!")
	p.data(id, "three", asText, fields{"end": true})
	equal(t, string(p.next("data").content), "three!")
	p.is(p.next("data"), fields{"op": "data", "end": true})
}

func TestAnAgentWaitsForAFirstMessageThatIsToCome(t *testing.T) {
	p := hosted(t, coagent.Func(upper))
	id := p.call("a", "", fields{"input": true})
	p.nothing()
	p.data(id, "late", asText)
	equal(t, string(p.next("data").content), "LATE")
}

func TestInputIsCreditedWhenItIsTaken(t *testing.T) {
	take := make(chan struct{})
	p := hosted(t, coagent.Handler(
		func(ctx context.Context, request *coagent.Request, _ *coagent.Sender) error {
			for range take {
				if _, err := request.Next(ctx); err != nil {
					return err
				}
			}
			return nil
		}))
	id := p.call("a", "", fields{"input": true})
	content := strings.Repeat("x", 256*1024-256)
	for range 4 {
		p.data(id, content)
	}
	take <- struct{}{}
	p.nothing()
	take <- struct{}{}
	p.is(p.next("credit"), fields{"op": "credit", "id": id, "bytes": 512 * 1024})
	close(take)
	p.is(p.next("data"), fields{"op": "data", "end": true})
}
