package coagent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// lateness is how long the sidecar may let a deadline pass before the call ends here.
const lateness = time.Second

// callRequest is what a call says, ready to be written, and again if it is repeated.
type callRequest struct {
	address     string
	header      []byte   // Behind the id, without parent and time.
	content     []byte   // Of the call's own frame.
	first       *Message // The first message where it is too large for that frame.
	deadline    time.Time
	isOpen      bool // The caller sends messages of its own behind the first.
	isLazy      bool
	isHeld      bool // The sidecar holds the reply until somebody reads it.
	isDelegated bool // Likewise, or until it is spliced: an error stands at its place then.
	window      int64
	parent      *hostedCall
	run         string // Its name, if it is one.
	isDetached  bool
	attachment  *attachment // It reads a run that another call has made.
	collect     Collect
}

// hasInput tells whether `data` frames follow the call's own.
func (r *callRequest) hasInput() bool { return r.isOpen || r.first != nil }

// ownCall is an open call of ours. What arrives goes to receiving; where the call fails with
// `retry` (no agent saw it) it is made again within its time, a few times. Nothing else is
// repeated.
type ownCall struct {
	client    *Client
	request   callRequest
	ctx       context.Context // The caller's.
	receiving receiving

	mu         sync.Mutex // Guards what follows.
	connection *connection
	id         int64 // 0 while it is not open.
	sending    *sending
	opened     chan struct{} // Closed once sending is there; only with input.
	repetition repetition
	isStarted  bool  // The first credit of a call that is held is given, or is to be.
	hasFrames  bool  // Something arrived: it is not to be repeated.
	isLeft     bool  // Nobody waits any more; the id waits for its terminal frame.
	isResumed  bool  // It is a run that goes on, by another connection than it was made on.
	frames     int64 // Of a run: how many have come.
	stop       func() bool
}

func newOwnCall(ctx context.Context, client *Client, request callRequest) *ownCall {
	call := &ownCall{client: client, request: request, ctx: ctx, isStarted: !request.isHeld}
	call.receiving.init(request.window, call.grant)
	if request.hasInput() {
		call.opened = make(chan struct{})
	}
	return call
}

// start waits for a connection and writes the call to it. Its error ends the call.
func (o *ownCall) start() error {
	for {
		connection, err := o.connected()
		if err == nil {
			err = o.open(connection)
		}
		if err == errGone {
			continue // It was not written: the next connection takes it, if it is no child.
		}
		if err != nil {
			o.finish(err)
		}
		return err
	}
}

// parent is the call that this one is written as a child of, or nil.
func (o *ownCall) parent() *hostedCall {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.isResumed {
		return nil
	}
	return o.request.parent
}

// connected is the connection to make the call on: that of its parent, or the client's.
func (o *ownCall) connected() (*connection, error) {
	if parent := o.parent(); parent != nil {
		if parent.connection.ended() != nil {
			return nil, errParentLost().at(o.request.address)
		}
		return parent.connection, nil
	}
	if connection := o.client.ready(); connection != nil {
		return connection, nil
	}
	ctx := o.ctx
	if !o.request.deadline.IsZero() { // It may be the library's own.
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, o.request.deadline)
		defer cancel()
	}
	connection, err := o.client.connected(ctx)
	if err == nil {
		err = connection.waitSpace(ctx)
	}
	var known *Error
	switch {
	case err == nil:
		return connection, nil
	case errors.As(err, &known):
		return nil, known.at(o.request.address)
	}
	return nil, contextError(ctx, o.request.address)
}

func errParentLost() *Error {
	return failure(Cancelled, "parent_ended", "the call this serves was lost with its connection")
}

func (o *ownCall) open(connection *connection) error {
	r := &o.request
	timeoutMS := int64(0)
	if !r.deadline.IsZero() {
		if timeoutMS = time.Until(r.deadline).Milliseconds(); timeoutMS <= 0 {
			return failure(DeadlineExceeded, "deadline", "no time was left").at(r.address)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var e endpoint = o
	if r.run != "" {
		e = &runFrames{o, connection}
	}
	header, content := o.words()
	id, err := connection.openID(e, "call", content, func(out []byte) []byte {
		out = append(out, header...)
		if timeoutMS > 0 {
			out = wire.AppendInteger(out, wire.TimeoutMS, timeoutMS)
		}
		if r.parent != nil && !o.isResumed {
			out = wire.AppendInteger(out, wire.Parent, r.parent.id)
		}
		return out
	})
	if err != nil {
		var known *Error
		if errors.As(err, &known) {
			err = known.at(r.address)
		}
		return err
	}
	o.id, o.connection = id, connection
	if r.hasInput() && !o.isResumed {
		window := int64(wire.WindowDefault)
		if len(r.content) > 0 {
			window -= int64(len(r.content)) + wire.FrameCost
		}
		o.sending = &sending{connection: connection, id: id, window: window}
		if r.first == nil {
			close(o.opened)
		} else {
			o.client.goroutines.Add(1)
			go o.sendFirst()
		}
	}
	if r.isHeld && o.isStarted {
		connection.writeCredit(id, r.window)
	}
	if !r.deadline.IsZero() {
		o.client.watchDeadlines()
	}
	return nil
}

// sendFirst sends a first message that the call's frame could not hold.
func (o *ownCall) sendFirst() {
	defer o.client.goroutines.Done()
	// Where it fails the call has ended, and its reply says why.
	_ = o.sending.send(context.WithoutCancel(o.ctx), o.request.first, !o.request.isOpen)
	close(o.opened)
}

// place is where the call is open, and its id there, or 0.
func (o *ownCall) place() (*connection, int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.connection, o.id
}

// begin gives a call that is held its first credit.
func (o *ownCall) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.isStarted {
		o.isStarted = true
		if o.id != 0 {
			o.connection.writeCredit(o.id, o.request.window)
		}
	}
}

// grant permits more, unless a window that was asked for meanwhile permits it too.
func (o *ownCall) grant(bytes int64, windows int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.id != 0 && o.receiving.isOf(windows) {
		o.connection.writeCredit(o.id, bytes)
	}
}

// leave ends the call: whoever reads gets err, and the agent hears of it, and all it called. Once
// the call has ended, nothing happens.
func (o *ownCall) leave(err error) {
	if o.receiving.discard(err) { // Else whoever ended it frees the id, with a cancel if need be.
		o.forget(err, true)
	}
}

// leaveByContext is leave, for its context. Where that is the deadline's doing the sidecar ends the
// call as well, and says so to the agent: the id waits for that.
func (o *ownCall) leaveByContext() error {
	err := contextError(o.ctx, o.request.address)
	isLate := err.Code == DeadlineExceeded && !o.request.deadline.IsZero() &&
		!time.Now().Before(o.request.deadline)
	if !isLate {
		o.leave(err)
		return err
	}
	o.receiving.discard(err)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.isLeft = true
	if o.sending != nil {
		o.sending.close(err)
	}
	return err
}

// finish ends the call with what the sidecar said or the connection met.
func (o *ownCall) finish(err error) {
	o.receiving.end(err)
	o.forget(err, false)
}

// forget frees the id, with a `cancel` if the sidecar does not know that it has ended.
func (o *ownCall) forget(err error, cancels bool) {
	o.mu.Lock()
	id, connection := o.id, o.connection
	o.id, o.connection = 0, nil
	if o.sending != nil {
		if err == nil {
			err = errEnded()
		}
		o.sending.close(err)
	}
	stop := o.stop
	o.stop = nil
	o.mu.Unlock()
	if stop != nil {
		stop()
	}
	if id != 0 {
		connection.endID(id)
		if cancels {
			connection.writeCancel(id)
		}
	}
}

// expire ends the call if the sidecar did not keep its deadline, a second late. It tells whether
// the call has one.
func (o *ownCall) expire(now time.Time) bool {
	if o.request.deadline.IsZero() {
		return false
	}
	if now.Sub(o.request.deadline) > lateness {
		err := failure(DeadlineExceeded, "deadline", "no answer in time").at(o.request.address)
		o.receiving.end(err)
		o.forget(err, true)
	}
	return true
}

// Frames

func (o *ownCall) onData(header *wire.Header, content []byte) {
	if !o.hasFrames {
		o.mu.Lock()
		o.hasFrames = true
		o.mu.Unlock()
	}
	if header.Is(wire.End) {
		o.forget(nil, false) // Before anybody hears of it.
	}
	o.receiving.frame(header, content)
}

func (o *ownCall) onCredit(bytes int64) {
	o.mu.Lock()
	sending := o.sending
	o.mu.Unlock()
	if sending != nil {
		sending.credit(bytes)
	}
}

func (o *ownCall) onOK() {}

func (o *ownCall) onError(header *wire.Header) {
	err := errorFrom(header, o.request.address)
	if header.Is(wire.More) {
		o.mu.Lock()
		o.hasFrames = true
		o.mu.Unlock()
		o.receiving.failedAt(err)
		return
	}
	o.end(err)
}

func (o *ownCall) onCancel(string) {
	o.end(failure(Cancelled, "cancelled", "the sidecar ended the call").at(o.request.address))
}

func (o *ownCall) onLost(err *Error) {
	lost := failure(Unavailable, "connection_lost", "%s", err.Message).at(o.request.address)
	lost.cause = err
	o.finish(lost)
}

// watch has the call end with its context, also while nobody reads.
func (o *ownCall) watch() {
	stop := context.AfterFunc(o.ctx, func() { _ = o.leaveByContext() })
	o.mu.Lock()
	o.stop = stop
	o.mu.Unlock()
	o.receiving.mu.Lock()
	hasEnded := o.receiving.hasEnded
	o.receiving.mu.Unlock()
	if hasEnded {
		stop()
	}
}
