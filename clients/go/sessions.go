package coagent

import (
	"context"
	"iter"
	"reflect"
)

// SessionOperation is one kind of message that a session's instance, of type S, handles: made by
// Operation, StreamOperation or HandlerOperation.
type SessionOperation[S any] struct {
	operation operation
}

// Described is the operation with a description for people and models.
func (o SessionOperation[S]) Described(description string) SessionOperation[S] {
	o.operation.description = description
	return o
}

// Operation handles messages of the type `name` with a method that makes one value of another:
// Operation("add", (*Counter).Add). See Func.
func Operation[S, In, Out any](
	name string, method func(S, context.Context, In) (Out, error),
) SessionOperation[S] {
	return sessionOperation[S, In, Out](name, false,
		func(ctx context.Context, instance any, request *Request, out *Sender) error {
			return answer(ctx, request, out, func(ctx context.Context, in In) (Out, error) {
				return method(instance.(S), ctx, in)
			})
		})
}

// StreamOperation handles messages of the type `name` with a method that answers with a stream. See
// StreamFunc.
func StreamOperation[S, In, Out any](
	name string, method func(S, context.Context, In) iter.Seq2[Out, error],
) SessionOperation[S] {
	return sessionOperation[S, In, Out](name, true,
		func(ctx context.Context, instance any, request *Request, out *Sender) error {
			return answerAll(ctx, request, out, func(ctx context.Context, in In) iter.Seq2[Out, error] {
				return method(instance.(S), ctx, in)
			})
		})
}

// HandlerOperation handles messages of the type `name` with a method that reads the request and
// sends what it answers itself. See Handler.
func HandlerOperation[S any](
	name string, method func(S, context.Context, *Request, *Sender) error,
) SessionOperation[S] {
	return SessionOperation[S]{operation{name: name, isStreaming: true,
		run: func(ctx context.Context, instance any, request *Request, out *Sender) error {
			return method(instance.(S), ctx, request, out)
		}}}
}

func sessionOperation[S, In, Out any](
	name string, isStreaming bool, run func(context.Context, any, *Request, *Sender) error,
) SessionOperation[S] {
	return SessionOperation[S]{operation{
		name:        name,
		input:       schemaOf(reflect.TypeFor[In]()),
		output:      schemaOf(reflect.TypeFor[Out]()),
		isStreaming: isStreaming,
		run:         run,
	}}
}

// Sessions is an agent with an instance for each session, `name:session`, made by its first
// message; a call without a session gets one of its own. One call at a time runs in a session,
// unless WithSessionConcurrency says otherwise. An instance that is a SessionCloser hears of its
// end, a SessionInterrupter of interrupts, a SessionSignaler of the agent's own signals. A message
// without a type goes to the only operation, if there is but one.
//
// The context of make is that of the call which creates the session; FromContext finds it.
func Sessions[S any](
	make func(ctx context.Context) (S, error), operations ...SessionOperation[S],
) Agent {
	return sessionsAgent[S]{make, operations}
}

type sessionsAgent[S any] struct {
	make       func(ctx context.Context) (S, error)
	operations []SessionOperation[S]
}

func (a sessionsAgent[S]) spec(name string) (*agentSpec, error) {
	instance := reflect.TypeFor[S]()
	spec := &agentSpec{
		make:            func(ctx context.Context) (any, error) { return a.make(ctx) },
		takesSignals:    instance.Implements(reflect.TypeFor[SessionSignaler]()),
		takesInterrupts: instance.Implements(reflect.TypeFor[SessionInterrupter]()),
	}
	seen := map[string]bool{}
	for _, each := range a.operations {
		if each.operation.name == "" || seen[each.operation.name] {
			return nil, failure(InvalidArgument, "bad_content",
				"two operations of %s are named %q, or one has no name", name, each.operation.name)
		}
		seen[each.operation.name] = true
		spec.operations = append(spec.operations, each.operation)
	}
	if len(spec.operations) == 0 {
		return nil, failure(InvalidArgument, "bad_content", "%s has no operation", name)
	}
	return spec, nil
}
