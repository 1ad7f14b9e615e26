package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	coagent "github.com/coagent/coagent/clients/go"
)

const listedMax = 100

// stream is what `next` and `leave` are for: a reply, or a watch.
type stream interface {
	next(ctx context.Context) (object, error)
	leave()
}

func (d *driver) keep(name string, s stream) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.streams[name] = s
}

// calling does `call`, `stream`, `open` and `send`.
func (d *driver) calling(ctx context.Context, begin func(), c command) (object, error) {
	client, err := d.client(c.Client)
	if err != nil {
		return nil, err
	}
	body, err := c.Body.body()
	if err != nil {
		return nil, err
	}
	if c.Do == "send" {
		parent, options, err := d.parent(ctx, c)
		if err != nil {
			return nil, err
		}
		// Without a deadline Send makes a context of its own, and tells of that as of waiting.
		parent, cancel := context.WithTimeout(parent, coagent.CallTimeout)
		defer cancel()
		return nil, client.Send(begunContext{parent, begin}, c.To, body, sendOptions(c, options)...)
	}
	parent, messageOptions, err := d.parent(ctx, c)
	if err != nil {
		return nil, err
	}
	options := callOptions(c, messageOptions)
	if c.Do == "call" {
		return call(begunContext{parent, begin}, client, c, body, options)
	}
	// The call outlives its command, with a deadline of its own.
	lasting, cancel := context.WithoutCancel(parent), func() {}
	if c.Under != "" {
		lasting = parent
	}
	if c.TimeoutMS != nil {
		lasting, cancel = context.WithTimeout(lasting, milliseconds(*c.TimeoutMS))
	}
	opened := begunContext{lasting, begin}
	if c.Do == "open" {
		exchange, err := client.Open(opened, c.To, body, options...)
		if err != nil {
			cancel()
			return nil, err
		}
		d.keep(c.As, &reading{reply: &exchange.Reply, exchange: exchange, cancel: cancel})
		return nil, nil
	}
	reply, err := client.Start(opened, c.To, body, options...)
	if err != nil {
		cancel()
		return nil, err
	}
	d.keep(c.As, &reading{reply: reply, cancel: cancel})
	return nil, nil
}

// messageOption is one of every verb that says a message.
type messageOption interface {
	coagent.CallOption
	coagent.SendOption
	coagent.PublishOption
}

// parent is the context to call with: that of the call named by `under`, which the command's own
// cancellation ends as well.
func (d *driver) parent(
	ctx context.Context, c command,
) (context.Context, []messageOption, error) {
	options := []messageOption{
		coagent.WithExt(c.Ext), coagent.WithTrace(c.Trace), coagent.WithSender(c.Sender),
	}
	if c.Under == "" {
		return ctx, options, nil
	}
	d.mu.Lock()
	handled := d.calls[c.Under]
	d.mu.Unlock()
	if handled == nil {
		return nil, nil, fmt.Errorf("no call %q", c.Under)
	}
	if c.Do == "stream" || c.Do == "open" {
		return handled.ctx(), options, nil
	}
	if c.Detach { // What ends the parent does not count.
		return handledContext{ctx, handled.ctx()}, options, nil
	}
	joined, cancel := context.WithCancelCause(handled.ctx())
	context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	return joined, options, nil
}

// handledContext ends with the command and knows the call that is handled.
type handledContext struct {
	context.Context
	handled context.Context
}

func (h handledContext) Value(key any) any {
	if found := h.Context.Value(key); found != nil {
		return found
	}
	return h.handled.Value(key)
}

func callOptions(c command, common []messageOption) []coagent.CallOption {
	var options []coagent.CallOption
	for _, option := range common {
		options = append(options, option)
	}
	if c.Window != nil {
		options = append(options, coagent.WithWindow(*c.Window))
	}
	if c.Lazy {
		options = append(options, coagent.Lazy())
	}
	if c.Detach {
		options = append(options, coagent.Detach())
	}
	if c.Run != "" {
		options = append(options, coagent.WithRun(c.Run))
	}
	switch c.Collect {
	case "join":
		options = append(options, coagent.CollectJoin)
	case "list":
		options = append(options, coagent.CollectList)
	case "last":
		options = append(options, coagent.CollectLast)
	}
	return options
}

func sendOptions(c command, common []messageOption) []coagent.SendOption {
	var options []coagent.SendOption
	for _, option := range common {
		options = append(options, option)
	}
	if c.Ack != nil && !*c.Ack {
		options = append(options, coagent.WithoutAck())
	}
	if c.Observe {
		options = append(options, coagent.Observe())
	}
	if c.TimeoutMS != nil {
		options = append(options, coagent.Expires(milliseconds(*c.TimeoutMS)))
	}
	return options
}

func call(
	ctx context.Context, client *coagent.Client, c command, body any, options []coagent.CallOption,
) (object, error) {
	if c.TimeoutMS != nil {
		var cancel context.CancelFunc
		inner := ctx.(begunContext)
		inner.Context, cancel = context.WithTimeout(inner.Context, milliseconds(*c.TimeoutMS))
		defer cancel()
		ctx = inner
	}
	answered, err := client.Call(ctx, c.To, body, options...)
	if err != nil {
		return nil, err
	}
	if answered.IsNone() && c.Collect != "list" {
		return nil, nil
	}
	areTexts := true
	told := make([]object, len(answered.Messages))
	for i, message := range answered.Messages {
		areTexts = areTexts && message.IsText()
		if told[i], err = messageJSON(message); err != nil {
			return nil, err
		}
	}
	if len(told) > 1 && !areTexts && c.Collect != "list" {
		return object{"values": told}, nil
	}
	joined, err := answered.Message()
	if err != nil {
		return nil, err
	}
	message, err := messageJSON(joined)
	return object{"value": message}, err
}

// reading does the commands for a call that is open here.
func (d *driver) reading(ctx context.Context, c command) (object, error) {
	d.mu.Lock()
	found := d.streams[c.Of]
	d.mu.Unlock()
	if found == nil {
		return nil, fmt.Errorf("no stream %q", c.Of)
	}
	switch c.Do {
	case "next":
		return found.next(ctx)
	case "leave":
		found.leave()
		return nil, nil
	}
	open, ok := found.(*reading)
	if !ok {
		return nil, unsupported("a watch has only next and leave")
	}
	switch c.Do {
	case "next_part":
		message, err := open.reply.NextPart(ctx)
		return open.told("piece", ctx, message, err)
	case "rest":
		return open.rest(ctx)
	}
	if open.exchange == nil {
		return nil, unsupported("the call has no input")
	}
	if c.Do == "finish" {
		return nil, open.exchange.End(ctx)
	}
	message, err := c.Body.message()
	if err != nil {
		return nil, err
	}
	return nil, open.exchange.Send(ctx, message)
}

// reading is a call whose reply is read step by step.
type reading struct {
	reply     *coagent.Reply
	exchange  *coagent.Exchange
	delegated *coagent.Delegated
	cancel    func()
}

func (r *reading) leave() {
	r.reply.Close()
	r.cancel()
}

func (r *reading) next(ctx context.Context) (object, error) {
	message, err := r.reply.Next(ctx)
	return r.told("message", ctx, message, err)
}

// told is what came of waiting; to be cancelled there is to leave.
func (r *reading) told(
	name string, ctx context.Context, message *coagent.Message, err error,
) (object, error) {
	if message != nil {
		told, err := messageJSON(message)
		return object{name: told}, err
	}
	if err == io.EOF {
		r.cancel()
		return object{"end": true}, nil
	}
	if ctx.Err() != nil {
		r.leave()
	}
	return nil, err
}

func (r *reading) rest(ctx context.Context) (object, error) {
	count, bytes, sum := 0, 0, sha256.New()
	listed := []object{}
	for {
		message, err := r.reply.Next(ctx)
		if err == io.EOF {
			break
		}
		if message == nil {
			return r.told("", ctx, nil, err)
		}
		count++
		bytes += len(message.Content)
		sum.Write(message.Content)
		if count <= listedMax {
			told, err := messageJSON(message)
			if err != nil {
				return nil, err
			}
			listed = append(listed, told)
		}
	}
	r.cancel()
	told := object{"count": count, "bytes": bytes, "sha256": hex.EncodeToString(sum.Sum(nil))}
	if count <= listedMax {
		told["messages"] = listed
	}
	return told, nil
}

// following is a watch.
type following struct {
	changes chan coagent.Change
	ended   chan struct{}
	err     error
	leave_  context.CancelFunc
}

func newFollowing(
	client *coagent.Client, namespace string, options []coagent.DiscoverOption,
) *following {
	ctx, cancel := context.WithCancel(context.Background())
	f := &following{changes: make(chan coagent.Change), ended: make(chan struct{}), leave_: cancel}
	go func() {
		defer close(f.ended)
		for change, err := range client.Watch(ctx, namespace, options...) {
			if err != nil {
				f.err = err
				return
			}
			select {
			case f.changes <- change:
			case <-ctx.Done():
				return
			}
		}
	}()
	return f
}

func (f *following) leave() {
	f.leave_()
	<-f.ended
}

func (f *following) next(ctx context.Context) (object, error) {
	select {
	case change := <-f.changes:
		names := []string{}
		for _, card := range change.Registered {
			names = append(names, card.Name)
		}
		gone := append([]string{}, change.Deregistered...)
		return object{"change": object{"revision": change.Revision, "registered": names,
			"deregistered": gone}}, nil
	case <-f.ended:
		return object{"end": true}, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
