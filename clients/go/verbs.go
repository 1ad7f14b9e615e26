package coagent

import (
	"context"
	"iter"
	"maps"
	"time"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// CallTimeout is the time that Call gives where its context has no deadline.
const CallTimeout = 30 * time.Second

// Call calls an agent and returns the one value it answers: nothing, a message, several texts
// joined, or a list. The body may be nil (none), a string, a []byte, a Message, or what
// encoding/json takes.
//
// The deadline of ctx is also the agent's; without one it is CallTimeout. Ending ctx cancels the
// call down to the agent and all it called. Where the call fails, the error is an *Error.
func (c *Client) Call(
	ctx context.Context, to string, body any, options ...CallOption,
) (*Value, error) {
	call, err := c.begin(ctx, to, body, options, callKind{isUnary: true})
	if err != nil {
		return nil, err
	}
	call.begin()
	value := Value{collect: call.request.collect}
	for {
		message, err := call.receiving.next(call.ctx)
		switch {
		case message != nil && message.Err == nil:
			value.add(message)
			continue
		case message != nil:
			call.leave(errLeft(to))
			return nil, message.Err
		case isEnd(err):
			return value.collected()
		case err == call.ctx.Err():
			return nil, call.leaveByContext()
		}
		return nil, err
	}
}

// CallAs calls an agent and decodes the one value it answers; see Client.Call and Value.Decode.
func CallAs[T any](
	ctx context.Context, client *Client, to string, body any, options ...CallOption,
) (T, error) {
	var result T
	value, err := client.Call(ctx, to, body, options...)
	if err != nil {
		return result, err
	}
	err = value.Decode(&result)
	return result, err
}

// Stream calls an agent when the loop over it begins, and iterates over the messages of its reply
// as they come. Leaving the loop cancels the call, and so does ending ctx. Each loop is a call of
// its own.
//
// An error that ends the call is the last of the loop, with a nil message. An error at a position
// of the stream comes with a message whose Err it is, and the loop may go on behind it.
func (c *Client) Stream(
	ctx context.Context, to string, body any, options ...CallOption,
) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		reply, err := c.Start(ctx, to, body, options...)
		if err != nil {
			yield(nil, err)
			return
		}
		reply.Messages()(yield)
	}
}

// StreamAs is Stream with each message decoded; see Message.Decode. It ends with the first error.
func StreamAs[T any](
	ctx context.Context, client *Client, to string, body any, options ...CallOption,
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for message, err := range client.Stream(ctx, to, body, options...) {
			var value T
			if err == nil {
				err = message.Decode(&value)
			}
			if !yield(value, err) || err != nil {
				return
			}
		}
	}
}

// Start calls an agent, at once, and returns its reply to be read at leisure. The reply has to be
// read to its end or closed; ending ctx cancels the call.
func (c *Client) Start(
	ctx context.Context, to string, body any, options ...CallOption,
) (*Reply, error) {
	call, err := c.begin(ctx, to, body, options, callKind{})
	if err != nil {
		return nil, err
	}
	return &Reply{call}, nil
}

// Open opens a call in both directions: Send messages, End the input, read the reply. A body that
// is not nil is the first message.
func (c *Client) Open(
	ctx context.Context, to string, body any, options ...CallOption,
) (*Exchange, error) {
	call, err := c.begin(ctx, to, body, options, callKind{isOpen: true})
	if err != nil {
		return nil, err
	}
	return &Exchange{Reply{call}}, nil
}

// callKind is what distinguishes the verbs.
type callKind struct {
	isUnary   bool
	isOpen    bool
	delegator *hostedCall // The call is for its reply.
}

// begin makes the call. Where it is not unary, its context ends it from now on.
func (c *Client) begin(
	ctx context.Context, to string, body any, options []CallOption, kind callKind,
) (*ownCall, error) {
	chosen := callOptions{window: wire.WindowDefault}
	for _, option := range options {
		option.applyToCall(&chosen)
	}
	request := callRequest{
		address: to, isOpen: kind.isOpen, isLazy: chosen.isLazy, window: chosen.window,
		isDelegated: kind.delegator != nil, isHeld: chosen.isLazy || kind.delegator != nil,
		run: chosen.run, isDetached: chosen.isDetached, collect: chosen.collect,
	}
	handled := chosen.handled(ctx)
	if kind.delegator != nil {
		handled = kind.delegator
		if chosen.run != "" {
			return nil, failure(InvalidArgument, "bad_splice", "a run cannot be spliced").at(to)
		}
	}
	if handled != nil && chosen.isDetached && handled.endsWith(ctx) {
		ctx = context.WithoutCancel(ctx)
	}
	if err := c.describe(&request, body, &chosen, handled); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, contextError(ctx, to)
	}
	if deadline, ok := ctx.Deadline(); ok {
		request.deadline = deadline
	} else if kind.isUnary && !chosen.hasNoLimit {
		request.deadline = time.Now().Add(CallTimeout)
	}
	call := newOwnCall(ctx, c, request)
	if err := call.start(); err != nil {
		return nil, err
	}
	if !kind.isUnary && ctx.Done() != nil {
		call.watch()
	}
	return call, nil
}

// describe puts the words of the call's header, and its message, into the request.
func (c *Client) describe(
	request *callRequest, body any, chosen *callOptions, handled *hostedCall,
) error {
	message, err := chosen.message(body)
	if err != nil {
		return err
	}
	if int64(len(message.Content)) <= c.contentBytesMax() {
		request.content = message.Content
	} else if request.isLazy && request.isDelegated {
		// It is started by its splice, and spliced when its message has gone.
		return failure(InvalidArgument, "too_large", "content of %d bytes exceeds %d",
			len(message.Content), c.contentBytesMax())
	} else {
		request.first = &message
	}
	header, err := chosen.header(make([]byte, 0, 128), request.address, &message, handled)
	if err != nil {
		return err
	}
	if request.window != wire.WindowDefault || request.isHeld {
		window := request.window
		if request.isHeld {
			window = 0
		}
		header = wire.AppendInteger(header, wire.Window, window)
		header = wire.AppendTrue(header, wire.Lazy, request.isLazy)
	}
	header = wire.AppendText(header, wire.Run, request.run)
	header = wire.AppendTrue(header, wire.Input, request.hasInput())
	request.header = wire.AppendTrue(header, wire.Detach, chosen.isDetached)
	if handled != nil && handled.client == c {
		if handled.hasEnded() && !chosen.isDetached {
			return nil // Inherited by what outlived the call: no child.
		}
		request.parent = handled
	}
	return nil
}

// handled is the call that a new one serves, or nil.
func (o *callOptions) handled(ctx context.Context) *hostedCall {
	if o.isOrphan {
		return nil
	}
	if request, ok := FromContext(ctx); ok {
		return request.call
	}
	return nil
}

// message is the body with what the options say of it.
func (o *callOptions) message(body any) (Message, error) {
	message := Message{ContentType: JSON}
	if body != nil {
		var err error
		if message, err = encode(body); err != nil {
			return message, err
		}
	}
	if o.hasKind {
		message.Type = o.kind
	}
	if o.contentType != "" {
		message.ContentType = o.contentType
	}
	return message, nil
}

// header appends what a call or send says besides window, time and parent. Trace and ext of the
// call it serves go on.
func (o *callOptions) header(
	out []byte, to string, message *Message, handled *hostedCall,
) ([]byte, error) {
	if err := checkAddress(to); err != nil {
		return out, err
	}
	return o.words(wire.AppendText(out, wire.To, to), message, handled)
}

// words appends what a message says besides where it goes.
func (o *callOptions) words(out []byte, message *Message, handled *hostedCall) ([]byte, error) {
	ext, trace := o.ext, o.trace
	if handled != nil {
		if trace == "" {
			trace = handled.request.trace
		}
		ext = merged(handled.request.ext, ext)
	}
	ext = merged(ext, message.Ext)
	if o.sender != "" {
		if err := checkAddress(o.sender); err != nil {
			return out, err
		}
		out = wire.AppendText(out, wire.From, o.sender)
	}
	out = wire.AppendText(out, wire.Type, message.Type)
	if message.ContentType != JSON {
		out = wire.AppendText(out, wire.ContentType, message.ContentType)
	}
	out = wire.AppendText(out, wire.Trace, trace)
	return appendExt(out, ext)
}

func appendExt(out []byte, ext map[string]any) ([]byte, error) {
	out, err := wire.AppendObject(out, wire.Ext, ext)
	if err != nil {
		failed := failure(InvalidArgument, "bad_field", "%v", err)
		failed.Details = map[string]any{"field": wire.Ext.String()}
		return out, failed
	}
	return out, nil
}

// merged has the members of both, those of the second first.
func merged(first, second map[string]any) map[string]any {
	if len(first) == 0 {
		return second
	}
	if len(second) == 0 {
		return first
	}
	both := maps.Clone(first)
	maps.Copy(both, second)
	return both
}

// Send sends one message that nobody answers. It returns once that is in the agent's mailbox, or
// could not be put there; the deadline of ctx (else CallTimeout) bounds that wait alone.
func (c *Client) Send(ctx context.Context, to string, body any, options ...SendOption) error {
	var chosen callOptions
	for _, option := range options {
		option.applyToSend(&chosen)
	}
	message, err := chosen.message(body)
	if err != nil {
		return err
	}
	if size := int64(len(message.Content)); size > c.contentBytesMax() {
		return failure(InvalidArgument, "too_large", "content of %d bytes exceeds %d", size,
			c.contentBytesMax())
	}
	handled := chosen.handled(ctx)
	header, err := chosen.header(make([]byte, 0, 128), to, &message, handled)
	if err != nil {
		return err
	}
	header = wire.AppendTrue(header, wire.Observe, chosen.observes)
	if chosen.expires > 0 {
		header = wire.AppendInteger(header, wire.TimeoutMS, max(1, chosen.expires.Milliseconds()))
	}
	sent := &ownSend{client: c, op: "send", to: to, header: header, content: message.Content}
	return sent.deliver(ctx, handled, !chosen.isUnacked)
}
