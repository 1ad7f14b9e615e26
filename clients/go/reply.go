package coagent

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
)

// Reply is what a call answers, read message by message, once. Ending its context, or Close, before
// the end cancels the call down to the agent.
//
// Its methods may be used by several goroutines; each message goes to one of them.
type Reply struct {
	call *ownCall
}

// Address is what was called.
func (r *Reply) Address() string { return r.call.request.address }

// Next waits for the next message; io.EOF after the last, an *Error if the call failed. An error
// at a position of the stream comes with a message whose Err it is, and the stream goes on. When
// ctx ends, Next returns, and the call goes on.
func (r *Reply) Next(ctx context.Context) (*Message, error) {
	r.call.begin()
	return r.read(ctx, r.call.receiving.next)
}

// NextPart waits for the next piece of a message, such as a token of a text, with the types of its
// message. A piece of text may end inside a character.
func (r *Reply) NextPart(ctx context.Context) (*Message, error) {
	r.call.begin()
	return r.read(ctx, r.call.receiving.nextPiece)
}

func (r *Reply) read(
	ctx context.Context, next func(context.Context) (*Message, error),
) (*Message, error) {
	message, err := next(ctx)
	switch {
	case message != nil:
		return message, message.Err
	case err == io.EOF:
	case ctx.Err() != nil && err == ctx.Err():
		return nil, contextError(ctx, r.Address())
	}
	return nil, err
}

// Messages iterates over the messages. An error that ends the call is the last of it, with a nil
// message; one at a position has a message (its Err), and the loop may go on. Leaving the loop
// cancels the call.
func (r *Reply) Messages() iter.Seq2[*Message, error] { return r.all(r.Next) }

// Parts iterates over the pieces of messages as they come, as Messages does.
func (r *Reply) Parts() iter.Seq2[*Message, error] { return r.all(r.NextPart) }

func (r *Reply) all(
	next func(context.Context) (*Message, error),
) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		defer r.Close()
		for {
			message, err := next(context.Background())
			if err == io.EOF {
				return
			}
			if !yield(message, err) || message == nil {
				return
			}
		}
	}
}

// Value waits for the end and gives one value. Cancelling ctx cancels the call.
func (r *Reply) Value(ctx context.Context, collect ...Collect) (*Value, error) {
	var value Value
	for _, each := range collect {
		value.collect = each
	}
	for {
		message, err := r.Next(ctx)
		switch {
		case err == io.EOF:
			return value.collected()
		case err != nil:
			r.call.leave(errLeft(r.Address()))
			return nil, err
		}
		value.add(message)
	}
}

// Close cancels the call if it has not ended.
func (r *Reply) Close() { r.call.leave(errLeft(r.Address())) }

func errLeft(address string) *Error {
	return failure(Cancelled, "cancelled", "the caller left the call").at(address)
}

// Exchange is a call open in both directions: a Reply with Send and End.
type Exchange struct {
	Reply
}

// Send sends one message, waiting for the agent's credit; its error is what ended the call.
func (e *Exchange) Send(ctx context.Context, body any) error {
	message, err := encodeChecked(body)
	if err != nil {
		return err
	}
	sending, err := e.sending(ctx)
	if err != nil {
		return err
	}
	return e.failed(ctx, sending.send(ctx, &message, false))
}

// End says that no more input comes. The reply goes on.
func (e *Exchange) End(ctx context.Context) error {
	sending, err := e.sending(ctx)
	if err != nil {
		return err
	}
	err = sending.end(ctx)
	if errors.Is(err, errInputEnded()) {
		return nil // It had ended before, or the call has.
	}
	return e.failed(ctx, err)
}

func (e *Exchange) sending(ctx context.Context) (*sending, error) {
	// Looked at first: who asks for Done waits, as far as the context can tell.
	select {
	case <-e.call.opened:
		return e.call.sending, nil
	default:
	}
	select {
	case <-e.call.opened:
		return e.call.sending, nil
	case <-ctx.Done():
		return nil, contextError(ctx, e.Address())
	}
}

func (e *Exchange) failed(ctx context.Context, err error) error {
	if err != nil && err == ctx.Err() {
		return contextError(ctx, e.Address())
	}
	return err
}

// Value is what a call answered, for one who wants one value: nothing, one message, or several.
type Value struct {
	Messages []*Message

	collect Collect
}

// IsNone tells that the agent answered nothing.
func (v *Value) IsNone() bool { return len(v.Messages) == 0 }

// Text is the answer as text: several texts joined. See Message.Text.
func (v *Value) Text() string {
	var text strings.Builder
	for _, message := range v.Messages {
		text.WriteString(message.Text())
	}
	return text.String()
}

// Bytes are the contents, one behind the other.
func (v *Value) Bytes() []byte {
	if len(v.Messages) == 1 {
		return v.Messages[0].Content
	}
	var content []byte
	for _, message := range v.Messages {
		content = append(content, message.Content...)
	}
	return content
}

// Message is the answer as one message: that which came, several texts joined, others as a list in
// JSON (what is neither text nor JSON in it as a base64 string), or null if none came; or what
// Collect says.
func (v *Value) Message() (*Message, error) {
	areTexts := v.collect == CollectJoin
	if !areTexts && v.collect != CollectList {
		isNoText := func(message *Message) bool { return !message.IsText() }
		areTexts = !slices.ContainsFunc(v.Messages, isNoText)
	}
	switch {
	case v.collect == CollectList:
	case len(v.Messages) == 1:
		return v.Messages[0], nil
	case len(v.Messages) == 0 && v.collect == CollectJoin:
		return &Message{ContentType: Text}, nil
	case len(v.Messages) == 0:
		return &Message{ContentType: JSON}, nil
	case areTexts:
		joined := *v.Messages[0]
		joined.Content = v.Bytes()
		return &joined, nil
	}
	values := make([]any, len(v.Messages))
	for i, message := range v.Messages {
		value, err := message.any()
		if err != nil {
			return nil, err
		}
		values[i] = value
	}
	content, err := marshal(values)
	if err != nil {
		return nil, err
	}
	return &Message{Content: content, ContentType: JSON}, nil
}

// Decode reads the answer into what value points to; see Message and Message.Decode.
func (v *Value) Decode(value any) error {
	message, err := v.Message()
	if err != nil {
		return err
	}
	return message.Decode(value)
}
