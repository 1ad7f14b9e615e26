package coagent_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
)

// bounded is a validator of the one keyword `maximum`: a library of JSON Schema knows them all.
func bounded(schema json.RawMessage) (coagent.Validate, error) {
	var rules struct {
		Type    string   `json:"type"`
		Maximum *float64 `json:"maximum"`
	}
	if err := json.Unmarshal(schema, &rules); err != nil {
		return nil, err
	}
	if rules.Type == "odd" {
		return nil, errors.New("no such type")
	}
	return func(content []byte) error {
		var number float64
		if rules.Maximum == nil || json.Unmarshal(content, &number) != nil || number <= *rules.Maximum {
			return nil
		}
		failed := coagent.Errorf(coagent.InvalidArgument, "", "%v is above %v", number, *rules.Maximum)
		failed.Details = map[string]any{"path": "$"}
		return failed
	}, nil
}

func twice(_ context.Context, number int) (int, error) { return 2 * number, nil }

func atMost(maximum string) json.RawMessage {
	return json.RawMessage(`{"type":"integer","maximum":` + maximum + `}`)
}

func TestAValidatorRefusesWhatDoesNotFit(t *testing.T) {
	client, p := linked(t)
	_, register := host(t, client, p, "a", coagent.Func(twice), coagent.WithValidator(bounded),
		coagent.WithInputSchema(atMost("10")), coagent.WithOutputSchema(atMost("12")))
	equal(t, string(register.content), `[{"name":"a","input":{"maximum":10,"type":"integer"},`+
		`"output":{"maximum":12,"type":"integer"},"streaming":false}]`)
	p.call("a", "5")
	equal(t, string(p.next("data").content), "10")
	p.call("a", "11")
	p.is(p.next("error"), fields{"op": "error", "code": "invalid_argument", "reason": "bad_content",
		"message": "11 is above 10", "details": fields{"path": "$"}})
	p.call("a", "7")
	p.is(p.next("error"), fields{"op": "error", "code": "internal", "reason": "bad_reply",
		"message": "14 is above 12", "details": fields{"path": "$"}})
	late := p.call("a", "", fields{"input": true})
	p.data(late, "99", fields{"end": true})
	equal(t, p.next("error").text("reason"), "bad_content")
}

func TestAValidatorChecksTheFirstMessageOfAHandlerAndAllThatAStreamSends(t *testing.T) {
	client, p := linked(t)
	host(t, client, p, "a", coagent.Handler(echoAll), coagent.WithValidator(bounded),
		coagent.WithInputSchema(atMost("10")))
	late := p.call("a", "", fields{"input": true})
	p.data(late, "3")
	equal(t, string(p.next("data").content), "3")
	p.data(late, "99", fields{"end": true}) // Further input is the agent's own.
	equal(t, string(p.next("data").content), "99")
	p.next("data")
	p.call("a", "99")
	equal(t, p.next("error").text("reason"), "bad_content")

	host(t, client, p, "count", coagent.StreamFunc(
		func(_ context.Context, count int) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				for n := range count {
					if !yield(n, nil) {
						return
					}
				}
			}
		}), coagent.WithValidator(bounded), coagent.WithOutputSchema(atMost("1")))
	p.call("count", "9")
	p.next("data")
	p.next("data")
	equal(t, p.next("error").text("reason"), "bad_reply")
}

func TestOperationsHaveSchemasOfTheirOwn(t *testing.T) {
	p := hosted(t, coagent.Sessions(func(context.Context) (*tally, error) { return &tally{}, nil },
		coagent.Operation("add", (*tally).Add).Taking(atMost("3")).Giving(atMost("5"))),
		coagent.WithValidator(bounded))
	p.call("a:s", "3")
	equal(t, string(p.next("data").content), "3")
	p.call("a:s", "4")
	equal(t, p.next("error").text("reason"), "bad_content")
	p.call("a:s", "3")
	equal(t, p.next("error").text("reason"), "bad_reply")
}

func TestSchemasThatAreNoneFailRegister(t *testing.T) {
	client, p := linked(t)
	for _, options := range [][]coagent.RegisterOption{
		{coagent.WithInputSchema(json.RawMessage(`[`))},
		{coagent.WithInputSchema(json.RawMessage(`{"type":"odd"}`)), coagent.WithValidator(bounded)},
	} {
		_, err := client.Register(within(t), "a", coagent.Func(twice), options...)
		failsWith(t, err, coagent.InvalidArgument, "bad_content")
	}
	_, err := client.Register(within(t), "a", coagent.Sessions(
		func(context.Context) (*tally, error) { return &tally{}, nil },
		coagent.Operation("add", (*tally).Add), coagent.Operation("plus", (*tally).Add)),
		coagent.WithInputSchema(atMost("3")))
	failsWith(t, err, coagent.InvalidArgument, "bad_content")
	p.nothing()
}

func TestAnAgentNamesTheSameSessionOfAnother(t *testing.T) {
	p := hosted(t, coagent.Handler(
		func(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
			return out.SendLast(ctx, request.InSession("b.c"))
		}))
	p.call("a:s:1", "")
	equal(t, string(p.next("data").content), "b.c:s:1")
	p.call("a", "")
	equal(t, string(p.next("data").content), "b.c")
}
