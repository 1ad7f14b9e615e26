package coagent

import (
	"context"
	"encoding/json"
	"errors"
)

// Validate checks content, in JSON, against a schema. Its error says what does not fit; an *Error
// is passed on with its details, such as `path`.
type Validate func(content []byte) error

// WithValidator has a library of JSON Schema check what an agent gets and gives: compile makes a
// Validate of each schema, those of types and those that are given. A message that does not fit is
// refused before the agent runs, `invalid_argument`/`bad_content`; one that it sends fails,
// `internal`/`bad_reply`. A text is checked as a string; bytes, pieces of messages and replies that
// are spliced or copied are not looked at.
//
// Without it types alone are checked: what does not fit the type of an input is refused always.
func WithValidator(compile func(schema json.RawMessage) (Validate, error)) RegisterOption {
	return registerOption(func(o *registerOptions) { o.compile = compile })
}

// WithInputSchema is the JSON Schema of what an agent of one operation takes, in place of that of
// its type. Discovery shows it; WithValidator has it checked.
func WithInputSchema(schema json.RawMessage) RegisterOption {
	return registerOption(func(o *registerOptions) { o.input = schema })
}

// WithOutputSchema is WithInputSchema for each message that the agent answers with.
func WithOutputSchema(schema json.RawMessage) RegisterOption {
	return registerOption(func(o *registerOptions) { o.output = schema })
}

// Taking is the operation with a JSON Schema of its own for what it takes; see WithInputSchema.
func (o SessionOperation[S]) Taking(schema json.RawMessage) SessionOperation[S] {
	o.operation.givenInput = schema
	return o
}

// Giving is the operation with a JSON Schema of its own for each message it answers with.
func (o SessionOperation[S]) Giving(schema json.RawMessage) SessionOperation[S] {
	o.operation.givenOutput = schema
	return o
}

// prepare gives the operations the schemas that the options name, and what checks them.
func (a *agentSpec) prepare(chosen *registerOptions) error {
	if (chosen.input != nil || chosen.output != nil) && len(a.operations) > 1 {
		return failure(InvalidArgument, "bad_content", "a schema for which of %d operations?",
			len(a.operations))
	}
	for i := range a.operations {
		each := &a.operations[i]
		if chosen.input != nil {
			each.givenInput = chosen.input
		}
		if chosen.output != nil {
			each.givenOutput = chosen.output
		}
		if err := each.prepare(chosen.compile); err != nil {
			return err
		}
	}
	return nil
}

func (o *operation) prepare(compile func(json.RawMessage) (Validate, error)) error {
	given := func(spelled json.RawMessage, derived *schema) error {
		if spelled == nil {
			return nil
		}
		*derived = nil
		return json.Unmarshal(spelled, derived)
	}
	if err := errors.Join(given(o.givenInput, &o.input), given(o.givenOutput, &o.output)); err != nil {
		return badSchema(o.name, err)
	}
	if compile == nil {
		return nil
	}
	for _, each := range []struct {
		schema schema
		check  *Validate
	}{{o.input, &o.checkInput}, {o.output, &o.checkOutput}} {
		if each.schema == nil {
			continue
		}
		spelled, err := json.Marshal(each.schema)
		if err == nil {
			*each.check, err = compile(spelled)
		}
		if err != nil {
			return badSchema(o.name, err)
		}
	}
	return nil
}

func badSchema(operation string, err error) *Error {
	failed := failure(InvalidArgument, "bad_content", "the schemas of %s: %v", operation, err)
	failed.cause = err
	return failed
}

// fits checks a message; what does not fit is an error of this code and reason.
func (v Validate) fits(message *Message, code Code, reason string) error {
	if v == nil {
		return nil
	}
	content := message.Content
	switch {
	case message.IsText():
		var err error
		if content, err = marshal(string(content)); err != nil {
			return message.unfit(err.Error())
		}
	case !message.IsJSON():
		return nil
	case len(content) == 0:
		content = []byte("null")
	}
	err := guarded(func() error { return v(content) })
	if err == nil {
		return nil
	}
	failed := failure(code, reason, "%v", err)
	failed.cause = err
	var known *Error
	if errors.As(err, &known) {
		failed.Message, failed.Details, failed.cause = known.Message, known.Details, known.cause
	}
	return failed
}

// arrived checks the first message of the input, as it is taken.
func (r *Request) arrived(ctx context.Context) (*Message, error) {
	message, err := r.call.input.next(ctx)
	check := r.check.Swap(nil)
	if message == nil || check == nil {
		return message, err
	}
	if err := check.fits(message, InvalidArgument, "bad_content"); err != nil {
		return nil, err
	}
	return message, nil
}
