package main

import (
	"context"
	"fmt"
	"iter"
	"strings"

	coagent "github.com/coagent/coagent/clients/go"
)

// delegate does the command of that name: a call is opened to be spliced.
func (d *driver) delegate(ctx context.Context, c command) error {
	d.mu.Lock()
	call := d.calls[c.Call]
	d.mu.Unlock()
	if call == nil {
		return fmt.Errorf("no call %q", c.Call)
	}
	body, err := c.Body.body()
	if err != nil {
		return err
	}
	options := []coagent.CallOption{coagent.WithExt(c.Ext)}
	if c.Lazy {
		options = append(options, coagent.Lazy())
	}
	lasting, cancel := call.ctx(), func() {}
	if c.TimeoutMS != nil {
		lasting, cancel = context.WithTimeout(lasting, milliseconds(*c.TimeoutMS))
	}
	opened := begunContext{lasting, ctx.(begunContext).begin}
	delegated, err := call.request.Delegate(opened, c.To, body, options...)
	if err != nil {
		cancel()
		return err
	}
	d.keep(c.As, &reading{reply: &delegated.Reply, delegated: delegated, cancel: cancel})
	return nil
}

// splice does `splice` and `hand_off`.
func (d *driver) splice(ctx context.Context, call *scriptedCall, c command) error {
	d.mu.Lock()
	found, ok := d.streams[c.Of].(*reading)
	d.mu.Unlock()
	if !ok {
		return fmt.Errorf("no call %q", c.Of)
	}
	var reply any = found.reply
	if found.delegated != nil {
		reply = found.delegated
	}
	if c.Unordered {
		reply = coagent.OutOfOrder(reply)
	}
	if c.Do == "splice" {
		return call.out.Send(ctx, reply)
	}
	err := call.out.SendLast(ctx, reply)
	call.finish(err)
	return nil
}

func words(text string, yield func(any, error) bool) {
	for _, word := range strings.Fields(text) {
		if !yield(word, nil) {
			return
		}
	}
}

// below is the reply of the next on the path.
func below(ctx context.Context, e errand) (*coagent.Delegated, error) {
	request, _ := coagent.FromContext(ctx)
	return request.Delegate(ctx, e.Path[0], errand{e.Path[1:], e.Text, e.Mark},
		coagent.WithType(""))
}

// delegate streams words, or has the next on the path do so between two of its own.
func delegate(ctx context.Context, e errand) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		if len(e.Path) == 0 {
			words(e.Text, yield)
			return
		}
		next, err := below(ctx, e)
		if err != nil {
			yield(nil, err)
			return
		}
		_ = yield(language+">", nil) && yield(next, nil) && yield("<"+language, nil)
	}
}

// handOver streams words, or hands over to the next on the path behind one of its own.
func handOver(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
	var e errand
	if err := request.Decode(&e); err != nil {
		return err
	}
	if len(e.Path) == 0 {
		for _, word := range strings.Fields(e.Text) {
			if err := out.Send(ctx, word); err != nil {
				return err
			}
		}
		return nil
	}
	next, err := below(ctx, e)
	if err != nil {
		return err
	}
	if err := out.Send(ctx, language+">"); err != nil {
		return err
	}
	return out.SendLast(ctx, next)
}
