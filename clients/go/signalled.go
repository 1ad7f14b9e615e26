package coagent

import (
	"context"
	"strings"
	"sync"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// Signal is what reaches an agent beside its messages, while it works on one. What is embedded is
// the payload: empty content if there is none.
type Signal struct {
	Message
	Name    string // `interrupt`, or an agent's own, such as `steer.note`.
	Sender  string // The address of the agent that signals, or "".
	Address string // Whom it concerns: the agent, its session, or what was called.
}

// SessionSignaler is what a session's instance may be: OnSignal gets the signals for its session,
// and for the calls in it. See OnSignal.
type SessionSignaler interface {
	OnSignal(ctx context.Context, signal *Signal) error
}

// signalHooks are the functions that signals go to; nil where there is none.
type signalHooks struct {
	interrupt func(ctx context.Context, interrupted *Interrupted) error
	signal    func(ctx context.Context, signal *Signal) error
}

// OnSignal has a function take the agent's own signals, those for its name, its sessions and its
// calls; of the last, FromContext finds the request. Whoever signals waits for it, and gets the
// error it returns. It is called for one signal of a session, or of a call, after the other, while
// the agent's functions run.
func OnSignal(take func(ctx context.Context, signal *Signal) error) RegisterOption {
	return registerOption(func(o *registerOptions) { o.hooks.signal = take })
}

// OnSignal is the option of that name for this call alone.
func (r *Request) OnSignal(take func(ctx context.Context, signal *Signal) error) {
	r.call.mu.Lock()
	defer r.call.mu.Unlock()
	r.call.own.signal = take
}

// hookTurns runs hooks one after the other, on a goroutine while there are any.
type hookTurns struct {
	mu        sync.Mutex
	waiting   []func()
	isRunning bool
}

// add is called by whoever reads the socket, and does not wait.
func (t *hookTurns) add(hosting *hosting, run func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = append(t.waiting, run)
	if !t.isRunning {
		t.isRunning = true
		hosting.start(t.run)
	}
}

func (t *hookTurns) run() {
	for {
		t.mu.Lock()
		if len(t.waiting) == 0 {
			t.isRunning = false
			t.mu.Unlock()
			return
		}
		next := t.waiting[0]
		t.waiting[0] = nil
		t.waiting = t.waiting[1:]
		t.mu.Unlock()
		next()
	}
}

// signalled takes a signal that arrived: for a call, a session, or an agent.
func (h *hosting) signalled(c *connection, id int64, header *wire.Header, content []byte) {
	contentType := header.Text(wire.ContentType)
	if contentType == "" {
		contentType = JSON
	}
	arrived := &arrivedSignal{c, id, &Signal{
		Message: Message{Content: content, ContentType: contentType},
		Name:    header.Text(wire.Name),
		Sender:  header.Text(wire.From),
		Address: header.Text(wire.To),
	}}
	isOwn := strings.ContainsRune(arrived.signal.Name, '.')
	if header.Has(wire.Call) {
		call, _ := c.endpoint(header.Integer(wire.Call)).(*hostedCall)
		if call == nil {
			c.writeOK(id) // It has ended here, which is all that could be asked.
			return
		}
		arrived.signal.Address = call.request.address
		call.signalled(arrived)
		return
	}
	name, _, hasSession := strings.Cut(arrived.signal.Address, ":")
	h.mu.Lock()
	registration, s := h.agents[name], h.living[arrived.signal.Address]
	var all []*session
	if !hasSession && registration != nil && registration.agent.takesSignals {
		all = h.sessionsOf(registration)
	}
	h.mu.Unlock()
	switch {
	case !isOwn:
		arrived.answer(unhandledSignal(arrived.signal)) // Calls are what can be interrupted.
	case s != nil:
		s.signalled(arrived)
	case registration != nil && registration.hooks.signal != nil:
		registration.turns.add(h, func() {
			arrived.answer(arrived.call(h.client.background, registration.hooks.signal))
		})
	case len(all) > 0:
		arrived.signalAll(h, all)
	default:
		arrived.answer(unhandledSignal(arrived.signal))
	}
}

// sessionsOf are the living sessions of an agent. mu is held.
func (h *hosting) sessionsOf(registration *Registration) []*session {
	var all []*session
	for _, each := range h.living {
		if each.registration == registration {
			all = append(all, each)
		}
	}
	return all
}

// arrivedSignal is a signal and where to answer it.
type arrivedSignal struct {
	connection *connection
	id         int64
	signal     *Signal
}

func (a *arrivedSignal) answer(err error) {
	if err == nil {
		a.connection.writeOK(a.id)
		return
	}
	a.connection.writeError(a.id, asError(err))
}

// call runs a hook; a panic is its error.
func (a *arrivedSignal) call(ctx context.Context, take func(context.Context, *Signal) error) error {
	return guarded(func() error { return take(ctx, a.signal) })
}

func unhandledSignal(signal *Signal) *Error {
	return failure(Unimplemented, "unhandled_signal", "nothing of %s takes %s", signal.Address,
		signal.Name)
}

// signalAll gives every session's instance the signal; the first error is the answer.
func (a *arrivedSignal) signalAll(h *hosting, all []*session) {
	var mu sync.Mutex
	var failed error
	left := len(all)
	for _, each := range all {
		each.turns.add(h, func() {
			err := each.takeSignal(a, nil)
			mu.Lock()
			defer mu.Unlock()
			if left--; failed == nil {
				failed = err
			}
			if left == 0 {
				a.answer(failed)
			}
		})
	}
}

// signalled takes a signal for a session's instance, else for its agent.
func (s *session) signalled(arrived *arrivedSignal) {
	registration := s.registration
	if !registration.agent.takesSignals && registration.hooks.signal == nil {
		arrived.answer(unhandledSignal(arrived.signal))
		return
	}
	s.turns.add(registration.client.hosting, func() {
		arrived.answer(s.takeSignal(arrived, nil))
	})
}

// takeSignal gives the signal, for the session or one of its calls, to the instance, once that is
// made, or to the agent.
func (s *session) takeSignal(arrived *arrivedSignal, call *hostedCall) error {
	hosting := s.registration.client.hosting
	ctx := hosting.client.background
	if call != nil {
		ctx = &call.lasting
	}
	signaler, isSignaler := s.current().(SessionSignaler)
	switch {
	case isSignaler:
		return arrived.call(ctx, signaler.OnSignal)
	case s.registration.hooks.signal != nil:
		return arrived.call(ctx, s.registration.hooks.signal)
	}
	return unhandledSignal(arrived.signal)
}

// signalled takes a signal for a call that is handled here.
func (h *hostedCall) signalled(arrived *arrivedSignal) {
	if arrived.signal.Name == "interrupt" {
		arrived.answer(nil) // Before what the agent may say to it.
		h.interrupt(&Interrupted{*arrived.signal})
		return
	}
	hosting, registration := h.client.hosting, h.registration
	h.mu.Lock()
	own := h.own.signal
	h.mu.Unlock()
	switch {
	case !strings.ContainsRune(arrived.signal.Name, '.'):
		arrived.answer(unhandledSignal(arrived.signal)) // A word of a later version.
	case own != nil:
		h.hooks.add(hosting, func() { arrived.answer(arrived.call(&h.lasting, own)) })
	case h.session != nil && registration.agent.takesSignals:
		h.session.turns.add(hosting, func() { arrived.answer(h.session.takeSignal(arrived, h)) })
	case registration.hooks.signal != nil:
		h.hooks.add(hosting, func() {
			arrived.answer(arrived.call(&h.lasting, registration.hooks.signal))
		})
	default:
		arrived.answer(unhandledSignal(arrived.signal))
	}
}
