package coagent

import (
	"encoding/json"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// attachment asks the agent `runs` for the frames of a run.
type attachment struct {
	Run    string `json:"run"`
	From   int64  `json:"from"`
	Tail   bool   `json:"tail,omitempty"`
	Resume bool   `json:"resume,omitempty"` // The reader stands for the call that made the run.
}

// attaching is how the call asks for its run next: with Attach, or, while it is the call that is to
// make it, nil. mu is held.
func (o *ownCall) attaching() *attachment {
	switch asked := o.request.attachment; {
	case asked != nil && asked.Tail:
		return asked
	case asked != nil:
		return &attachment{Run: asked.Run, From: asked.From + o.frames}
	case o.isResumed:
		return &attachment{Run: o.request.run, From: o.frames, Resume: true}
	}
	return nil
}

// words are the header and content of the call's frame, on this connection. mu is held.
func (o *ownCall) words() ([]byte, []byte) {
	attaching := o.attaching()
	if attaching == nil {
		return o.request.header, o.request.content
	}
	window := o.receiving.regain(o.request.window)
	header := wire.AppendText(nil, wire.To, "runs")
	header = wire.AppendText(header, wire.Type, "Attach")
	if window != wire.WindowDefault {
		header = wire.AppendInteger(header, wire.Window, window)
	}
	content, _ := json.Marshal(attaching) // A plain struct: it cannot fail.
	return header, content
}

// runFrames is the endpoint of a call with a run on one connection: each frame that comes is
// counted as it is put where it is read from. What comes by a connection that was lost meanwhile
// comes again by the next, and is not counted here.
type runFrames struct {
	*ownCall
	connection *connection
}

// count puts a frame where it is read from, unless it is not this connection's turn any more.
func (f *runFrames) count(put func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ownCall.connection == f.connection {
		f.frames++
		f.hasFrames = true
		put()
	}
}

// isTurn tells whether the run is read by this connection.
func (f *runFrames) isTurn() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ownCall.connection == f.connection
}

func (f *runFrames) onData(header *wire.Header, content []byte) {
	if !header.Is(wire.End) {
		f.count(func() { f.receiving.frame(header, content) })
	} else if f.isTurn() {
		f.forget(nil, false) // Before anybody hears of it.
		f.receiving.frame(header, content)
	}
}

func (f *runFrames) onError(header *wire.Header) {
	err := errorFrom(header, f.request.address)
	if header.Is(wire.More) {
		f.count(func() { f.receiving.failedAt(err) })
		return
	}
	if !f.isTurn() {
		return
	}
	f.mu.Lock()
	isResumed := f.isResumed
	f.mu.Unlock()
	if isResumed && err.Code == NotFound && err.Reason == "unknown_run" {
		f.finish(failure(Unavailable, "connection_lost",
			"the run was lost with a connection").at(f.request.address))
		return
	}
	f.end(err)
}

// onLost has the call go on by the next connection, if it can.
func (f *runFrames) onLost(err *Error) {
	lost := failure(Unavailable, "connection_lost", "%s", err.Message).at(f.request.address)
	lost.cause = err
	f.mu.Lock()
	if f.ownCall.connection != f.connection {
		f.mu.Unlock()
		return
	}
	resumes := f.resumes()
	if resumes {
		f.id, f.ownCall.connection = 0, nil
		f.isResumed, f.hasFrames, f.repetition = true, false, repetition{}
		if f.ownCall.sending != nil {
			f.ownCall.sending.close(lost) // Only the reply goes on.
		}
	}
	f.mu.Unlock()
	if !resumes {
		f.finish(lost)
		return
	}
	f.client.later(0, f.restart)
}

// resumes tells whether the run can be read on. mu is held.
func (f *runFrames) resumes() bool {
	r := &f.request
	if asked := r.attachment; asked != nil && asked.Tail && f.frames > 0 {
		return false // It cannot know how far it was.
	}
	if r.parent != nil && !r.isDetached {
		return false // It ends with its parent, which is lost.
	}
	if r.first != nil {
		select {
		case <-f.opened:
		default:
			return false // The message had not gone out.
		}
	}
	return !f.isLeft
}
