package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	coagent "github.com/coagent/coagent/clients/go"
)

// scriptedCall is a call that does what the runner says next.
type scriptedCall struct {
	ended   context.Context // What the library gave the handler.
	request *coagent.Request
	out     *coagent.Sender
	mu      sync.Mutex
	last    chan struct{} // Closed when the last command that sends is done.
	once    sync.Once
	result  chan error
}

// finish ends the call; only the first counts.
func (s *scriptedCall) finish(err error) { s.once.Do(func() { s.result <- err }) }

// ctx is what to call and wait with: once an interrupt is taken, what only the call's end ends.
func (s *scriptedCall) ctx() context.Context {
	if interruptOf(s.ended) != nil {
		return s.request.Uninterrupted()
	}
	return s.ended
}

// release ends a call that nobody will tell to.
func (s *scriptedCall) release() { s.finish(context.Canceled) }

// handle runs a scripted call.
func (d *driver) handle(
	ctx context.Context, request *coagent.Request, out *coagent.Sender, c command,
	instance string,
) error {
	call := &scriptedCall{ended: ctx, request: request, out: out, result: make(chan error, 1)}
	d.mu.Lock()
	d.lastCall++
	name := fmt.Sprintf("h%d", d.lastCall)
	d.calls[name], d.names[request] = call, name
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		delete(d.calls, name)
		delete(d.names, request)
		d.mu.Unlock()
	}()
	told, err := calledJSON(request)
	if err != nil {
		return err
	}
	told["call"] = name
	if instance != "" {
		told["instance"] = instance
	}
	d.emit(told)
	for {
		select {
		case err := <-call.result:
			return err
		case <-ctx.Done():
		}
		interrupted := interruptOf(ctx)
		if interrupted == nil {
			break
		}
		if err := d.interrupted(name, interrupted); err != nil || c.Interrupts != "go_on" {
			return errors.Join(err, context.Cause(ctx))
		}
		ctx = request.Uninterrupted()
	}
	d.emit(object{"event": "cancelled", "call": name})
	if c.Stubborn {
		return <-call.result
	}
	return context.Cause(ctx)
}

func calledJSON(request *coagent.Request) (object, error) {
	told := object{
		"event": "called", "address": request.Address(), "type": request.Type(),
		"sender": request.Sender(), "trace": request.Trace(), "topic": request.Topic(),
		"source": request.Source(), "new": request.IsNew(),
		"oneway": request.IsSend(), "observe": request.IsObservation(),
	}
	if len(request.Ext()) > 0 {
		told["ext"] = request.Ext()
	}
	if left, ok := request.TimeLeft(); ok {
		told["time_left_ms"] = left.Milliseconds()
	}
	if request.HasMessage() {
		message, err := request.Message()
		if err != nil {
			return nil, err
		}
		if len(message.Content) > 0 || message.IsText() {
			if told["message"], err = messageJSON(message); err != nil {
				return nil, err
			}
		}
	}
	return told, nil
}

// scripted does the commands for a call that is handled here.
func (d *driver) scripted(ctx context.Context, c command) (object, error) {
	d.mu.Lock()
	call := d.calls[c.Call]
	d.mu.Unlock()
	if call == nil {
		return nil, fmt.Errorf("no call %q", c.Call)
	}
	if c.Do == "input" {
		message, err := call.request.Next(ctx)
		if err == io.EOF {
			return object{"end": true}, nil
		}
		if err != nil {
			return nil, err
		}
		told, err := messageJSON(message)
		return object{"message": told}, err
	}
	done, err := call.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if c.Do == "splice" || c.Do == "hand_off" {
		return nil, d.splice(ctx, call, c)
	}
	return nil, call.step(ctx, c)
}

// turn waits for the commands before, which may themselves wait; the next ones wait for done.
func (s *scriptedCall) turn(ctx context.Context) (done func(), err error) {
	mine := make(chan struct{})
	s.mu.Lock()
	before := s.last
	s.last = mine
	s.mu.Unlock()
	if before == nil {
		return func() { close(mine) }, nil
	}
	select {
	case <-before:
		return func() { close(mine) }, nil
	case <-ctx.Done():
		go func() { <-before; close(mine) }()
		return nil, ctx.Err()
	}
}

// step does what sends or ends. Where sending fails, the call is cancelled, and says so itself.
func (s *scriptedCall) step(ctx context.Context, c command) error {
	switch c.Do {
	case "fail":
		s.finish(failure(c))
		return nil
	case "fail_at":
		return s.out.SendError(ctx, failure(c))
	case "forward":
		body, err := c.Body.body()
		if err != nil {
			return err
		}
		// It ends with the call, not with the command.
		s.finish(s.out.Forward(begunContext{s.ctx(), ctx.(begunContext).begin}, c.To, body))
		return nil
	}
	if c.Body == nil {
		s.finish(nil)
		return nil
	}
	message, err := c.Body.message()
	if err != nil {
		return err
	}
	switch {
	case c.Do == "answer":
		err := s.out.SendLast(ctx, message)
		s.finish(err)
		if s.ctx().Err() != nil {
			return nil
		}
		return err
	case c.Part:
		err = s.out.SendPart(ctx, message)
	case c.Unordered:
		err = s.out.Send(ctx, coagent.OutOfOrder(message))
	default:
		err = s.out.Send(ctx, message)
	}
	if s.ctx().Err() != nil {
		return nil // What a cancelled call would send goes nowhere.
	}
	return err
}

// failure is the error that a command names: one with a code, or an ordinary one.
func failure(c command) error {
	if c.Code != "" {
		return &coagent.Error{Code: coagent.Code(c.Code), Reason: c.Reason, Message: c.Message,
			Details: c.Details}
	}
	failed := ordinary{text: c.Message}
	if failed.text == "" {
		failed.text = "failed"
	}
	if c.Cause != nil {
		failed.cause = errors.New(*c.Cause)
	}
	return failed
}

// ordinary is an error as any program may have it.
type ordinary struct {
	text  string
	cause error
}

func (o ordinary) Error() string { return o.text }
func (o ordinary) Unwrap() error { return o.cause }

// scriptedSession is an instance of the agent `sessions`.
type scriptedSession struct {
	driver  *driver
	name    string
	command command
}

func (d *driver) sessions(c command) coagent.Agent {
	open := func(ctx context.Context) (*scriptedSession, error) {
		d.mu.Lock()
		d.lastInstance++
		s := &scriptedSession{d, fmt.Sprintf("i%d", d.lastInstance), c}
		d.mu.Unlock()
		request, _ := coagent.FromContext(ctx)
		d.emit(object{"event": "opened", "instance": s.name, "address": request.Address()})
		return s, nil
	}
	if c.Signals == nil {
		return coagent.Sessions(open, coagent.HandlerOperation("handle", (*scriptedSession).handle))
	}
	openSignalled := func(ctx context.Context) (*signalledSession, error) {
		s, err := open(ctx)
		return &signalledSession{s}, err
	}
	handle := func(s *signalledSession, ctx context.Context, request *coagent.Request,
		out *coagent.Sender) error {
		return s.handle(ctx, request, out)
	}
	return coagent.Sessions(openSignalled, coagent.HandlerOperation("handle", handle))
}

func (s *scriptedSession) handle(
	ctx context.Context, request *coagent.Request, out *coagent.Sender,
) error {
	return s.driver.handle(ctx, request, out, s.command, s.name)
}

// Closed is the close hook.
func (s *scriptedSession) Closed(reason string) {
	s.driver.emit(object{"event": "closed", "instance": s.name, "reason": reason})
}
