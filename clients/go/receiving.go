package coagent

import (
	"context"
	"io"
	"sync"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// arrival is a frame of one direction of a call, not yet taken by the application.
type arrival struct {
	message Message // Of a later part only the content counts.
	isPart  bool    // The message goes on in the next one.
	cost    int64
}

// receiving is one direction of a call as its receiver sees it: the reader of the socket puts
// frames in, the application takes messages out. Credit is granted for what was taken, half a
// window at a time.
type receiving struct {
	mu        sync.Mutex
	queue     []arrival
	head      int
	hasEnded  bool
	err       error         // Why it ended, if not by its own end.
	ready     chan struct{} // Has one element when there may be something to take.
	threshold int64
	owed      int64
	grant     func(bytes int64, windows int) // Nil once nothing more is to be granted.
	windows   int                            // How many were asked for behind the first.

	isOpen bool     // The last frame put in was a part of a message.
	taken  *Message // The message whose parts are being taken.
	pieces [][]byte // Its parts so far.
}

func (r *receiving) init(window int64, grant func(int64, int)) {
	r.ready = make(chan struct{}, 1)
	r.threshold = max(window/2, 1)
	r.grant = grant
}

// frame puts in a `data` frame.
func (r *receiving) frame(header *wire.Header, content []byte) {
	end := header.Is(wire.End)
	kind, contentType := header.Text(wire.Type), header.Text(wire.ContentType)
	isBare := end && len(content) == 0 && kind == "" && contentType == ""
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hasEnded {
		return
	}
	if !isBare || r.isOpen {
		r.isOpen = !end && header.Is(wire.Part)
		each := arrival{isPart: r.isOpen}
		if !isBare {
			each.cost = int64(len(content)) + wire.FrameCost
		}
		if contentType == "" {
			contentType = JSON
		}
		each.message = Message{content, contentType, kind, header.Object(wire.Ext), nil}
		r.queue = append(r.queue, each)
	}
	if end {
		r.hasEnded, r.grant = true, nil
	}
	r.signal()
}

// peek is the first message, if it is there, whole, and nobody has taken it.
func (r *receiving) peek() *Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.head == len(r.queue) || r.queue[r.head].isPart || r.queue[r.head].message.Err != nil {
		return nil
	}
	first := r.queue[r.head].message
	return &first
}

// put puts in a whole message.
func (r *receiving) put(message Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	cost := int64(len(message.Content)) + wire.FrameCost
	r.queue = append(r.queue, arrival{message: message, cost: cost})
	r.signal()
}

// failedAt puts in an error at a position: it ends an open message, the stream goes on.
func (r *receiving) failedAt(err *Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.hasEnded {
		r.isOpen = false
		r.queue = append(r.queue, arrival{message: Message{Err: err}, cost: wire.FrameCost})
		r.signal()
	}
}

// end says that nothing more comes; err is why, unless it is the end that was due. False if the
// direction had ended before.
func (r *receiving) end(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hasEnded {
		return false
	}
	r.hasEnded, r.err, r.grant = true, err, nil
	r.signal()
	return true
}

// discard ends the direction and forgets what was not taken: nobody reads any more.
func (r *receiving) discard(err error) bool {
	ended := r.end(err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue, r.head, r.taken, r.pieces = nil, 0, nil, nil
	if r.err == nil {
		r.err = err
	}
	return ended
}

// failure is why the direction ended.
func (r *receiving) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *receiving) signal() {
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

// next waits for a message and takes it; io.EOF at the end. The error of ctx does not end the
// direction. An error at a position comes as a message with Err.
func (r *receiving) next(ctx context.Context) (*Message, error) {
	return r.wait(ctx, r.whole)
}

// nextPiece waits for a part of a message and takes it, with what the first said of it.
func (r *receiving) nextPiece(ctx context.Context) (*Message, error) {
	return r.wait(ctx, r.piece)
}

func (r *receiving) wait(ctx context.Context, take func() *Message) (*Message, error) {
	for {
		message, err := r.try(take)
		if message != nil || err != nil {
			return message, err
		}
		select {
		case <-r.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// try takes a message if there is one, and grants what is owed for it.
func (r *receiving) try(take func() *Message) (*Message, error) {
	for {
		message, isPaused, err := r.step(take)
		if !isPaused {
			return message, err
		}
	}
}

// step takes what there is up to where credit is to be granted, and grants it; isPaused tells that
// it stopped for that alone.
func (r *receiving) step(take func() *Message) (message *Message, isPaused bool, err error) {
	r.mu.Lock()
	message = take()
	isPaused = message == nil && r.head < len(r.queue)
	if message == nil && r.hasEnded && !isPaused {
		if err = r.err; err == nil {
			err = io.EOF
		}
	}
	if r.hasEnded || r.head < len(r.queue) {
		r.signal() // For whoever else waits.
	}
	owed, grant := r.owed, r.grant
	if grant == nil || owed < r.threshold {
		owed = 0
	}
	r.owed -= owed
	windows := r.windows
	r.mu.Unlock()
	if owed > 0 {
		grant(owed, windows)
	}
	return message, isPaused, err
}

// regain is the window to ask for where what is here goes on by another connection: that of the
// first, less what nobody has taken yet.
func (r *receiving) regain(window int64) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.windows++
	for _, each := range r.queue[r.head:] {
		window -= each.cost
	}
	asked := max(window, 1)
	r.owed = window - asked
	return asked
}

// isOf tells whether no window has been asked for since.
func (r *receiving) isOf(windows int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.windows == windows
}

// take is the next frame, or nil.
func (r *receiving) take() *arrival {
	if r.head == len(r.queue) {
		return nil
	}
	each := r.queue[r.head]
	r.queue[r.head] = arrival{}
	r.head++
	if r.head == len(r.queue) {
		r.queue, r.head = r.queue[:0], 0
	}
	r.owed += each.cost
	return &each
}

// whole is the message that is complete with what is there, or nil.
func (r *receiving) whole() *Message {
	for {
		each := r.take()
		if each == nil {
			if r.hasEnded && r.err == nil && r.taken != nil { // It ended inside a message.
				return r.joined()
			}
			return nil
		}
		if each.message.Err != nil {
			r.taken, r.pieces = nil, nil
			return &each.message
		}
		if r.taken == nil {
			if !each.isPart {
				return &each.message
			}
			r.taken = &each.message
		}
		r.pieces = append(r.pieces, each.message.Content)
		if !each.isPart {
			return r.joined()
		}
		if r.owed >= r.threshold && r.grant != nil {
			return nil // The sender is to hear of it first.
		}
	}
}

func (r *receiving) joined() *Message {
	message := r.taken
	size := 0
	for _, piece := range r.pieces {
		size += len(piece)
	}
	message.Content = make([]byte, 0, size)
	for _, piece := range r.pieces {
		message.Content = append(message.Content, piece...)
	}
	r.taken, r.pieces = nil, nil
	return message
}

// piece is the next part of a message, or nil.
func (r *receiving) piece() *Message {
	for {
		each := r.take()
		if each == nil {
			return nil
		}
		message := &each.message
		first := r.taken
		if first != nil && message.Err == nil {
			message = &Message{message.Content, first.ContentType, first.Type, first.Ext, nil}
		}
		if each.isPart && first == nil {
			r.taken = message
		} else if !each.isPart {
			r.taken = nil
		}
		if first == nil || len(message.Content) > 0 || message.Err != nil {
			return message
		}
		// The empty frame that only ends a message is no piece of it.
	}
}
