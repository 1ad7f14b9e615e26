package main

import (
	"context"
	"errors"
	"fmt"

	coagent "github.com/coagent/coagent/clients/go"
)

// signal does `signal`, `interrupt`, `cancel`, `pause` and `resume`.
func (d *driver) signal(ctx context.Context, begin func(), c command) error {
	client, err := d.client(c.Client)
	if err != nil {
		return err
	}
	body, err := c.Body.body()
	if err != nil {
		return err
	}
	parent, _, err := d.parent(ctx, c)
	if err != nil {
		return err
	}
	var options []coagent.SignalOption
	if c.Sender != "" {
		options = append(options, coagent.WithSender(c.Sender))
	}
	// Without a deadline it makes a context of its own, and tells of that as of waiting.
	parent, cancel := context.WithTimeout(parent, coagent.CallTimeout)
	defer cancel()
	own := begunContext{parent, begin}
	switch {
	case c.Of != "":
		return d.signalReply(own, c, body, options)
	case c.Do == "pause":
		return client.Pause(own, c.To, options...)
	case c.Do == "resume":
		return client.Resume(own, c.To, options...)
	case c.Do == "cancel" && c.Run != "":
		return client.CancelRun(own, c.Run, options...)
	case c.Do == "cancel":
		return client.Cancel(own, c.To, options...)
	case c.Do == "interrupt" && c.Run != "":
		return client.InterruptRun(own, c.Run, body, options...)
	case c.Do == "interrupt":
		return client.Interrupt(own, c.To, body, options...)
	case c.Run != "":
		return client.SignalRun(own, c.Run, c.Name, body, options...)
	}
	return client.Signal(own, c.To, c.Name, body, options...)
}

func (d *driver) signalReply(
	ctx context.Context, c command, body any, options []coagent.SignalOption,
) error {
	d.mu.Lock()
	found, ok := d.streams[c.Of].(*reading)
	d.mu.Unlock()
	if !ok {
		return fmt.Errorf("no call %q", c.Of)
	}
	if c.Do == "interrupt" {
		return found.reply.Interrupt(ctx, body, options...)
	}
	return found.reply.Signal(ctx, c.Name, body, options...)
}

// hooks are what an agent is registered with to be signalled.
func (d *driver) hooks(c command) []coagent.RegisterOption {
	var hooks []coagent.RegisterOption
	if c.Interrupts == "hook" {
		hooks = append(hooks, coagent.OnInterrupt(
			func(ctx context.Context, interrupted *coagent.Interrupted) error {
				request, _ := coagent.FromContext(ctx)
				err := d.interrupted(d.nameOf(request), interrupted)
				if c.HookFails != "" {
					err = ordinary{text: c.HookFails}
				}
				return err
			}))
	}
	if c.Signals != nil {
		hooks = append(hooks, coagent.OnSignal(
			func(ctx context.Context, signal *coagent.Signal) error {
				return d.signalled(ctx, c, signal, "")
			}))
	}
	return hooks
}

func (d *driver) nameOf(request *coagent.Request) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.names[request]
}

// interruptOf is what interrupted a call, if that is why its context has ended.
func interruptOf(ctx context.Context) *coagent.Interrupted {
	var interrupted *coagent.Interrupted
	errors.As(context.Cause(ctx), &interrupted)
	return interrupted
}

// interrupted tells of an interrupt.
func (d *driver) interrupted(call string, interrupted *coagent.Interrupted) error {
	told := object{"event": "interrupted", "call": call}
	return d.emitSignal(told, &interrupted.Signal)
}

// signalled tells of an agent's own signal.
func (d *driver) signalled(
	ctx context.Context, c command, signal *coagent.Signal, instance string,
) error {
	told := object{"event": "signalled", "address": signal.Address, "name": signal.Name}
	if request, ok := coagent.FromContext(ctx); ok {
		told["call"] = d.nameOf(request)
	} else if instance != "" {
		told["instance"] = instance
	}
	if err := d.emitSignal(told, signal); err != nil {
		return err
	}
	if c.Signals == "fail" {
		return coagent.Errorf(coagent.Aborted, "not_now", "not now")
	}
	return nil
}

func (d *driver) emitSignal(told object, signal *coagent.Signal) error {
	if signal.Sender != "" {
		told["sender"] = signal.Sender
	}
	if len(signal.Content) > 0 || signal.IsText() {
		message, err := messageJSON(&signal.Message)
		if err != nil {
			return err
		}
		told["message"] = message
	}
	d.emit(told)
	return nil
}

// signalledSession is an instance of the agent `sessions` that takes its own signals.
type signalledSession struct{ *scriptedSession }

// OnSignal is the hook for them.
func (s *signalledSession) OnSignal(ctx context.Context, signal *coagent.Signal) error {
	return s.driver.signalled(ctx, s.command, signal, s.name)
}
