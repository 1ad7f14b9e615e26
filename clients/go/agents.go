package coagent

import (
	"context"
	"encoding/json"
	"iter"
	"reflect"
	"strings"
)

// Agent is what can be registered: Handler, Func, StreamFunc or Sessions.
type Agent interface {
	spec(name string) (*agentSpec, error)
}

// Handler is an agent that handles every message itself: it reads the request, and its further
// input, and sends what it answers. The error it returns is the caller's.
type Handler func(ctx context.Context, request *Request, out *Sender) error

// Func is an agent that makes one value of another. The input is decoded as by Message.Decode: what
// does not fit is refused before the function runs. A nil output is no message.
func Func[In, Out any](f func(ctx context.Context, in In) (Out, error)) Agent {
	return typedAgent[In, Out]{false,
		func(ctx context.Context, _ any, request *Request, out *Sender) error {
			return answer(ctx, request, out, f)
		}}
}

// StreamFunc is an agent that answers with a stream: each value is sent while the caller gives
// credit, and the loop over it is left when nobody waits any more.
func StreamFunc[In, Out any](f func(ctx context.Context, in In) iter.Seq2[Out, error]) Agent {
	return typedAgent[In, Out]{true,
		func(ctx context.Context, _ any, request *Request, out *Sender) error {
			return answerAll(ctx, request, out, f)
		}}
}

// agentSpec is an agent as it is hosted.
type agentSpec struct {
	operations []operation
	make       func(ctx context.Context) (any, error) // Of a session's instance; else nil.
	takesAny   bool                                   // The first operation is for every type.
	// What the instances of sessions are.
	takesSignals    bool
	takesInterrupts bool
}

// operation is one kind of message that an agent handles.
type operation struct {
	name        string
	description string
	input       schema
	output      schema
	isStreaming bool
	run         func(ctx context.Context, instance any, request *Request, out *Sender) error

	// Schemas in place of those of the types, and what checks either, if anything does.
	givenInput, givenOutput json.RawMessage
	checkInput, checkOutput Validate
}

func (f Handler) spec(name string) (*agentSpec, error) {
	run := func(ctx context.Context, _ any, request *Request, out *Sender) error {
		return f(ctx, request, out)
	}
	return single(operation{name: lastSegment(name), isStreaming: true, run: run})
}

// typedAgent is a function of one operation with schemas, named after its input's type if that has
// a name.
type typedAgent[In, Out any] struct {
	isStreaming bool
	run         func(ctx context.Context, _ any, request *Request, out *Sender) error
}

func (t typedAgent[In, Out]) spec(name string) (*agentSpec, error) {
	only := operation{name: structName(reflect.TypeFor[In]()), isStreaming: t.isStreaming, run: t.run}
	if only.name == "" {
		only.name = lastSegment(name)
	}
	only.input, only.output = schemaOf(reflect.TypeFor[In]()), schemaOf(reflect.TypeFor[Out]())
	return single(only)
}

func single(only operation) (*agentSpec, error) {
	return &agentSpec{operations: []operation{only}, takesAny: true}, nil
}

func lastSegment(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// decodeInput reads the first message as an agent's input, all of whose required fields are there.
func decodeInput[In any](request *Request, in *In) error {
	message, err := request.Message()
	if err != nil {
		return err
	}
	if err := message.Decode(in); err != nil {
		return err
	}
	if !message.IsJSON() || reflect.TypeFor[In]() == messageType {
		return nil
	}
	return missingIn(message.Content, reflect.TypeFor[In]())
}

// answer runs a function of one value and sends what it returns, as the last message.
func answer[In, Out any](
	ctx context.Context, request *Request, out *Sender, f func(context.Context, In) (Out, error),
) error {
	var in In
	if err := decodeInput(request, &in); err != nil {
		return err
	}
	value, err := f(ctx, in)
	if err != nil || isNone(value) {
		return err
	}
	return out.SendLast(ctx, value)
}

// answerAll runs a function that answers with a stream.
func answerAll[In, Out any](
	ctx context.Context, request *Request, out *Sender,
	f func(context.Context, In) iter.Seq2[Out, error],
) error {
	var in In
	if err := decodeInput(request, &in); err != nil {
		return err
	}
	for value, err := range f(ctx, in) {
		if err == nil {
			err = out.Send(ctx, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isNone tells whether an output is no message: nil, or an empty struct.
func isNone(value any) bool {
	if value == nil {
		return true
	}
	reflected := reflect.ValueOf(value)
	if reflected.Kind() == reflect.Pointer {
		return reflected.IsNil()
	}
	return reflected.Kind() == reflect.Struct && reflected.NumField() == 0
}

// operation is the one for the message's type.
func (a *agentSpec) operation(h *hostedCall) (*operation, error) {
	if a.takesAny {
		return &a.operations[0], nil
	}
	kind := h.request.kind
	if kind == "" && len(a.operations) == 1 {
		return &a.operations[0], nil
	}
	if kind == "" && !h.request.hasMessage {
		// The kind of message is known only with the first of the input, if one comes.
		message, err := h.request.Message()
		if err != nil {
			return nil, err
		}
		kind = message.Type
	}
	known := make([]string, len(a.operations))
	for i := range a.operations {
		if a.operations[i].name == kind {
			return &a.operations[i], nil
		}
		known[i] = a.operations[i].name
	}
	names := strings.Join(known, " ")
	err := failure(Unimplemented, "unhandled_type",
		"no operation for type %q; there is %s", kind, names)
	err.Details = map[string]any{"type": kind, "operations": names}
	return nil, err
}

// activate makes an instance for a session.
func (a *agentSpec) activate(ctx context.Context) (instance any, err error) {
	err = guarded(func() error {
		instance, err = a.make(ctx)
		return err
	})
	return instance, err
}

// content is the operations as `register` carries them.
func (a *agentSpec) content() ([]byte, error) {
	type listed struct {
		Name        string `json:"name"`
		Description string `json:"description,omitempty"`
		Input       schema `json:"input,omitempty"`
		Output      schema `json:"output,omitempty"`
		Streaming   bool   `json:"streaming"`
	}
	all := make([]listed, len(a.operations))
	for i, each := range a.operations {
		all[i] = listed{each.name, each.description, each.input, each.output, each.isStreaming}
	}
	content, err := json.Marshal(all)
	if err != nil {
		return nil, failure(InvalidArgument, "bad_content", "the schemas of an agent: %v", err)
	}
	return content, nil
}
