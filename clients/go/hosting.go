package coagent

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// SessionCloser is what a session's instance may be: Closed is called once the session is gone.
// The reason is `idle`, `cancelled`, `shutdown`, `connection_lost`, `replaced`, or `ended` for an
// instance that served one call without a session.
type SessionCloser interface {
	Closed(reason string)
}

// session is one conversation with an agent here. Its instance is made by the first call in it.
type session struct {
	registration *Registration
	connection   *connection

	mu       sync.Mutex // Guards what follows; held while the instance is made.
	instance any
	isMade   bool
	isClosed bool
	settled  sync.Cond // Signalled as it is made, closed, or left by a call.

	turns hookTurns
	calls atomic.Int32 // Those that have come and not ended.
}

// hosting is the host's side of a client: the agents by name, the sessions that live here, and the
// calls that run. The order within a session is the sidecar's doing; here a call starts when it
// arrives.
type hosting struct {
	client *Client
	mu     sync.Mutex
	agents map[string]*Registration
	living map[string]*session
	// busy counts calls that run and sessions that close; idle is closed when there are none.
	busy int
	idle chan struct{}
	// work is for goroutines that have finished other work; spares counts those that wait for it
	// beyond what is in work.
	work   chan func()
	spares int
	isOver bool
}

// sparesMax is how many goroutines wait for the next call: as many as often come at once.
const sparesMax = 64

func newHosting(client *Client) *hosting {
	return &hosting{
		client: client,
		agents: make(map[string]*Registration),
		living: make(map[string]*session),
		work:   make(chan func(), sparesMax),
	}
}

// add has calls to this name come to this registration.
func (h *hosting) add(r *Registration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.agents[r.name] = r
}

// remove takes a registration away. Calls that run go on, and so do its sessions till the sidecar
// closes them.
func (h *hosting) remove(r *Registration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.agents[r.name] == r {
		delete(h.agents, r.name)
	}
}

// start runs something that Close and Drain wait for.
func (h *hosting) start(run func()) {
	h.mu.Lock()
	h.busy++
	isTaken := h.spares > 0 && len(h.work) < cap(h.work)
	if isTaken {
		h.spares--
		h.work <- run // It does not block: nobody else sends.
	}
	h.mu.Unlock()
	if !isTaken {
		go h.serve(run)
	}
}

// serve does work, and then what comes next: a stack that calls have made large enough would be
// made so again for each of them.
func (h *hosting) serve(run func()) {
	for run != nil {
		h.do(run)
		run = h.next()
	}
}

func (h *hosting) do(run func()) {
	defer h.leave()
	run()
}

// next waits for work; nil if there are enough who do, or the client has ended. Only while it waits
// does the client's end wait for this goroutine.
func (h *hosting) next() func() {
	h.mu.Lock()
	if h.isOver || h.spares == sparesMax {
		h.mu.Unlock()
		return nil
	}
	h.spares++
	h.client.goroutines.Add(1)
	h.mu.Unlock()
	defer h.client.goroutines.Done()
	select {
	case run := <-h.work:
		return run
	case <-h.client.background.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case run := <-h.work: // It came with the end.
		return run
	default:
		h.spares--
		return nil
	}
}

// finish lets go of the goroutines that wait for work. The client's background has ended.
func (h *hosting) finish() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.isOver = true
}

func (h *hosting) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.busy--; h.busy == 0 && h.idle != nil {
		close(h.idle)
		h.idle = nil
	}
}

// quiet is closed once nothing runs.
func (h *hosting) quiet() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.idle == nil {
		h.idle = make(chan struct{})
		if h.busy == 0 {
			close(h.idle)
			defer func() { h.idle = nil }()
		}
	}
	return h.idle
}

// wait waits until nothing runs, within a bound.
func (h *hosting) wait(bound time.Duration) {
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case <-h.quiet():
	case <-timer.C:
	}
}

// drained waits until nothing runs, or ctx ends.
func (h *hosting) drained(ctx context.Context) {
	select {
	case <-h.quiet():
	case <-ctx.Done():
	}
}

// called takes a call that arrived.
func (h *hosting) called(c *connection, id int64, header *wire.Header, content []byte) {
	name, _, _ := strings.Cut(header.Text(wire.To), ":")
	h.mu.Lock()
	registration := h.agents[name]
	h.mu.Unlock()
	if registration == nil {
		err := failure(NotFound, "unknown_agent", "%s is not registered here", name)
		err.Retry = true
		c.writeError(id, err)
		return
	}
	call := newHostedCall(c, registration, id, header, content)
	if c.adopt(id, call) {
		if registration.agent.make != nil {
			call.session = h.claim(call)
		}
		h.start(call.run)
		if !call.ctx.deadline.IsZero() {
			h.client.watchDeadlines()
		}
	}
}

// claim finds the session of a call that arrives, in the order of their arrival, or begins it. A
// call without a session has one of its own.
func (h *hosting) claim(call *hostedCall) *session {
	address := call.request.address
	h.mu.Lock()
	known := h.living[address]
	var replaced *session
	if known != nil && (known.registration != call.registration || call.request.isNew ||
		known.connection != call.connection) {
		known, replaced = nil, known // What is still here belongs to one that is gone.
	}
	if known == nil {
		known = &session{registration: call.registration, connection: call.connection}
		known.settled.L = &known.mu
		if strings.Contains(address, ":") && call.connection.ended() == nil {
			h.living[address] = known
		}
	}
	known.calls.Add(1)
	h.mu.Unlock()
	if replaced != nil {
		h.start(func() { h.close(replaced, address, "replaced") })
	}
	return known
}

// activated is the session's instance, which the first to want it makes. Where that fails the call
// does, and the next one tries again.
func (s *session) activated(ctx context.Context) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.isClosed:
		return nil, failure(Cancelled, "cancelled", "the session has ended")
	case s.isMade:
		return s.instance, nil
	}
	instance, err := s.registration.agent.activate(ctx)
	if err != nil {
		return nil, activationError(err)
	}
	s.instance, s.isMade = instance, true
	s.settled.Broadcast()
	return instance, nil
}

// current is the instance, once it is made; nil where no call is about to have it made.
func (s *session) current() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.isMade && !s.isClosed && s.calls.Load() > 0 {
		s.settled.Wait()
	}
	return s.instance
}

// left is that a call has ended; without a session, so has its instance.
func (h *hosting) left(s *session, address string) {
	s.mu.Lock()
	s.calls.Add(-1)
	s.settled.Broadcast()
	s.mu.Unlock()
	if !strings.Contains(address, ":") {
		h.close(s, address, "ended")
	}
}

// close calls the hook of an instance.
func (h *hosting) close(s *session, address, reason string) {
	s.mu.Lock()
	instance := s.instance
	s.instance, s.isClosed = nil, true
	s.settled.Broadcast()
	s.mu.Unlock()
	closer, ok := instance.(SessionCloser)
	if !ok {
		return
	}
	if err := guarded(func() error { closer.Closed(reason); return nil }); err != nil {
		h.client.options.logger.Error("coagent: Closed failed", "session", address, "error", err)
	}
}

// closing is that the sidecar closes a session: it is freed, and then said to be.
func (h *hosting) closing(c *connection, id int64, header *wire.Header) {
	address, reason := header.Text(wire.To), header.Text(wire.Reason)
	h.mu.Lock()
	s := h.living[address]
	delete(h.living, address)
	h.mu.Unlock()
	if s == nil {
		c.writeOK(id)
		return
	}
	h.start(func() {
		h.close(s, address, reason)
		c.writeOK(id)
	})
}

// lost is that the connection is gone, and with it every session of it.
func (h *hosting) lost(c *connection) {
	h.mu.Lock()
	gone := make(map[string]*session)
	for address, s := range h.living {
		if s.connection == c {
			gone[address] = s
			delete(h.living, address)
		}
	}
	h.mu.Unlock()
	for address, s := range gone {
		h.start(func() { h.close(s, address, "connection_lost") })
	}
}

// activationError is a session whose instance could not be made: the call fails, the next message
// tries again.
func activationError(err error) *Error {
	failed := asError(err)
	failed.Code, failed.Reason = Internal, "activation_failed"
	return failed
}
