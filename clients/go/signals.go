package coagent

import (
	"context"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// signalBytesMax is how long the payload of a signal may be.
const signalBytesMax = 65_536

// SignalOption is an option of the verbs that signal.
type SignalOption interface{ applyToSignal(*callOptions) }

// signalTarget says whom a signal concerns: one of an address, a run, and a call that is open here.
type signalTarget struct {
	to   string
	run  string
	call *ownCall
}

// Signal sends an agent's own signal, such as `steer.note` (two segments or more), to a session, or
// to every replica of a name. It overtakes what waits in the mailbox. A payload that is not nil
// travels as a body does, at most 64 KiB.
//
// It returns once the agent has taken it, or with the error that it, or the sidecar, answered:
// `unimplemented`/`unhandled_signal` where nothing takes it, `failed_precondition`/`not_running`
// where nothing runs. The deadline of ctx (else CallTimeout) bounds that wait alone.
func (c *Client) Signal(
	ctx context.Context, to, name string, payload any, options ...SignalOption,
) error {
	return c.signal(ctx, signalTarget{to: to}, name, payload, options)
}

// Interrupt interrupts what runs in a session, with a payload: the agent may still finish its
// reply. What waits is not touched. It returns as Signal does.
func (c *Client) Interrupt(
	ctx context.Context, to string, payload any, options ...SignalOption,
) error {
	return c.signal(ctx, signalTarget{to: to}, "interrupt", payload, options)
}

// Cancel ends a session: its calls, running and waiting, end `cancelled`, and its instance goes.
func (c *Client) Cancel(ctx context.Context, to string, options ...SignalOption) error {
	return c.signal(ctx, signalTarget{to: to}, "cancel", nil, options)
}

// Pause keeps what waits in a session's mailbox, and what comes, from its agent until Resume. What
// runs goes on.
func (c *Client) Pause(ctx context.Context, to string, options ...SignalOption) error {
	return c.signal(ctx, signalTarget{to: to}, "pause", nil, options)
}

// Resume ends the pause of a session.
func (c *Client) Resume(ctx context.Context, to string, options ...SignalOption) error {
	return c.signal(ctx, signalTarget{to: to}, "resume", nil, options)
}

// SignalRun is Signal for what handles a run.
func (c *Client) SignalRun(
	ctx context.Context, run, name string, payload any, options ...SignalOption,
) error {
	return c.signal(ctx, signalTarget{run: run}, name, payload, options)
}

// InterruptRun is Interrupt for a run.
func (c *Client) InterruptRun(
	ctx context.Context, run string, payload any, options ...SignalOption,
) error {
	return c.signal(ctx, signalTarget{run: run}, "interrupt", payload, options)
}

// CancelRun ends a run, for all who read it.
func (c *Client) CancelRun(ctx context.Context, run string, options ...SignalOption) error {
	return c.signal(ctx, signalTarget{run: run}, "cancel", nil, options)
}

// Interrupt interrupts this call, with a payload: the agent may still finish its reply, which is
// read as before. See Client.Interrupt.
func (r *Reply) Interrupt(ctx context.Context, payload any, options ...SignalOption) error {
	return r.Signal(ctx, "interrupt", payload, options...)
}

// Signal sends an agent's own signal to what handles this call. See Client.Signal.
func (r *Reply) Signal(
	ctx context.Context, name string, payload any, options ...SignalOption,
) error {
	return r.call.client.signal(ctx, signalTarget{call: r.call}, name, payload, options)
}

func (c *Client) signal(
	ctx context.Context, target signalTarget, name string, payload any, options []SignalOption,
) error {
	var chosen callOptions
	for _, option := range options {
		option.applyToSignal(&chosen)
	}
	message := Message{ContentType: JSON}
	if payload != nil {
		var err error
		if message, err = encode(payload); err != nil {
			return err
		}
	}
	if size := len(message.Content); size > signalBytesMax {
		return failure(InvalidArgument, "too_large", "a payload of %d bytes exceeds %d", size,
			signalBytesMax)
	}
	handled := chosen.handled(ctx)
	header, err := target.header(make([]byte, 0, 96))
	if err != nil {
		return err
	}
	header = wire.AppendText(header, wire.Name, name)
	message.Type, message.Ext = "", nil // A signal has none of its own.
	signalled := callOptions{sender: chosen.sender}
	if header, err = signalled.words(header, &message, nil); err != nil {
		return err
	}
	sent := &ownSend{client: c, op: "signal", to: target.to, header: header,
		content: message.Content, target: &target}
	return sent.deliver(ctx, handled, !chosen.isUnacked)
}

// header appends whom the signal concerns; the id of a call only as it is written.
func (t *signalTarget) header(out []byte) ([]byte, error) {
	switch {
	case t.call != nil:
		t.to = t.call.request.address
		return out, nil
	case t.run != "":
		return wire.AppendText(out, wire.Run, t.run), nil
	}
	return wire.AppendText(out, wire.To, t.to), checkAddress(t.to)
}

// ready waits for the connection to signal on: that of the call that is signalled or of the one
// that signals, else the client's, which may drain. It gives the id of the call, or 0.
func (t *signalTarget) ready(ctx context.Context, s *ownSend) (*connection, int64, error) {
	var connection *connection
	var id int64
	var err error
	switch {
	case t.call != nil:
		if connection, id = t.call.place(); id == 0 {
			return nil, 0, errNotRunning().at(t.to)
		}
		if s.parent != nil && s.parent.connection != connection {
			s.parent = nil
		}
	case s.parent != nil:
		connection, err = s.connected(ctx)
	default:
		connection, err = s.client.linked(ctx)
	}
	if err == nil && !connection.hasSignals.Load() {
		err = failure(Unimplemented, "no_signals", "the sidecar knows no signals").at(t.to)
	}
	return connection, id, err
}

func errNotRunning() *Error {
	return failure(FailedPrecondition, "not_running", "the call is not open")
}
