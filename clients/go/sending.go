package coagent

import (
	"context"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// sending is one direction of a call as its sender sees it: messages go out while there is credit.
// A frame may be sent while the window is above zero, and overdraws it by itself at most. Content
// over 256 KiB goes in parts, so that nothing else waits long behind it.
type sending struct {
	connection *connection
	id         int64

	mu     sync.Mutex
	window int64
	inPart bool          // A message was begun with parts and goes on.
	isBusy bool          // Somebody sends, or is about to.
	line   []*turn       // Who waits for the messages of others to be complete, in order.
	err    error         // Why nothing can be sent any more.
	change chan struct{} // Closed at the next change; nil while nobody waits.

	isOver bool // The last frame of this direction is written.
}

func errEnded() error { return failure(FailedPrecondition, "call_ended", "the call has ended") }

func errInputEnded() error {
	return failure(FailedPrecondition, "call_ended", "nothing can follow the last message")
}

// credit is granted by the receiver.
func (s *sending) credit(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.window = min(s.window+bytes, wire.WindowMax)
	s.changed()
}

// close ends the direction; who waits to send gets this error.
func (s *sending) close(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		s.changed()
	}
}

func (s *sending) changed() {
	if s.change != nil {
		close(s.change)
		s.change = nil
	}
}

// wait releases mu until something has changed.
func (s *sending) wait(ctx context.Context) error {
	if s.change == nil {
		s.change = make(chan struct{})
	}
	change := s.change
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-change:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ready waits, with mu held, until a frame may be sent.
func (s *sending) ready(ctx context.Context) error {
	for {
		switch {
		case s.err != nil:
			return s.err
		case s.window <= 0:
			if err := s.wait(ctx); err != nil {
				return err
			}
		default:
			s.mu.Unlock()
			err := s.connection.waitSpace(ctx)
			s.mu.Lock()
			if err != nil || (s.err == nil && s.window > 0) {
				return err
			}
		}
	}
}

// turn is a place in the line of those who want to send.
type turn struct{ come chan struct{} }

// begin waits for the messages of others to be complete. It leaves mu locked if it succeeds; then
// finish lets the next one in.
func (s *sending) begin(ctx context.Context) error {
	s.mu.Lock()
	if s.err != nil {
		defer s.mu.Unlock()
		return s.err
	}
	if s.isBusy {
		mine := &turn{make(chan struct{})}
		s.line = append(s.line, mine)
		s.mu.Unlock()
		select {
		case <-mine.come:
			s.mu.Lock()
		case <-ctx.Done():
			s.mu.Lock()
			s.leave(mine)
			s.mu.Unlock()
			return ctx.Err()
		}
	} else {
		s.isBusy = true
	}
	if s.err != nil {
		defer s.finish()
		return s.err
	}
	return nil
}

// leave gives up a turn, which may just have come.
func (s *sending) leave(mine *turn) {
	for i, each := range s.line {
		if each == mine {
			s.line = slices.Delete(s.line, i, i+1)
			return
		}
	}
	s.next()
}

// next lets the next one in.
func (s *sending) next() {
	if s.isBusy = len(s.line) > 0; s.isBusy {
		close(s.line[0].come)
		s.line = slices.Delete(s.line, 0, 1)
	}
}

func (s *sending) finish() {
	s.next()
	s.mu.Unlock()
}

// send sends one message, in parts if it is large, waiting for credit before each. With end it is
// the last of this direction.
func (s *sending) send(ctx context.Context, message *Message, end bool) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.finish()
	if err := s.endPart(ctx, false); err != nil {
		return err
	}
	content := message.Content
	for at := 0; ; {
		if err := s.ready(ctx); err != nil {
			return s.broken(err, at > 0)
		}
		stop := s.cutAt(content, at, message)
		isLast := stop == len(content)
		words := frameWords{isFirst: at == 0, isPart: !isLast, isEnd: end && isLast}
		if err := s.write(message, content[at:stop], words); err != nil {
			return err
		}
		if at = stop; isLast {
			return nil
		}
	}
}

// sendPart sends a piece of a message that goes on.
func (s *sending) sendPart(ctx context.Context, message *Message) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.finish()
	content := message.Content
	for at := 0; ; {
		if err := s.ready(ctx); err != nil {
			return err
		}
		stop := s.cutAt(content, at, message)
		words := frameWords{isFirst: !s.inPart, isPart: true}
		if err := s.write(message, content[at:stop], words); err != nil {
			return err
		}
		s.inPart = true
		if at = stop; at == len(content) {
			return nil
		}
	}
}

// sendError sends an error at a position of the stream, which ends an open message and goes on.
func (s *sending) sendError(ctx context.Context, failed *Error) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.finish()
	if err := s.ready(ctx); err != nil {
		return err
	}
	s.inPart = false
	s.window -= wire.FrameCost
	return s.connection.write(nil, func(out []byte) []byte {
		return append(appendError(out, s.id, failed), `,"more":true}`...)
	})
}

// sendUnordered sends a message in one piece, which need not wait for what is spliced before it.
func (s *sending) sendUnordered(ctx context.Context, message *Message) error {
	if size := int64(len(message.Content)); size > s.connection.contentBytesMax.Load() {
		return failure(InvalidArgument, "too_large",
			"content of %d bytes exceeds %d: out of order it goes in one piece", size,
			s.connection.contentBytesMax.Load())
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.finish()
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.write(message, message.Content, frameWords{isFirst: true, isUnordered: true})
}

// splice puts the replies of another call at this place, behind a message that is complete. write
// writes the frame, which needs no credit; with end it is the last.
func (s *sending) splice(ctx context.Context, end bool, write func() error) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.finish()
	if err := s.endPart(ctx, false); err != nil {
		return err
	}
	if err := write(); err != nil {
		return err
	}
	if end {
		s.over()
	}
	return nil
}

// end says that no message follows: an empty last frame, which needs no credit.
func (s *sending) end(ctx context.Context) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.finish()
	if s.inPart {
		return s.endPart(ctx, true)
	}
	s.over()
	return s.connection.write(nil, func(out []byte) []byte {
		out = wire.AppendInteger(append(out, `{"op":"data"`...), wire.ID, s.id)
		return append(out, `,"end":true}`...)
	})
}

// broken keeps anything from following a message that stopped in the middle.
func (s *sending) broken(err error, isBegun bool) error {
	if isBegun && s.err == nil {
		s.err = failure(FailedPrecondition, "call_ended", "a message was left unfinished: %v", err)
	}
	return err
}

// endPart sends an empty last piece for a message that went on; with end, the last of all.
func (s *sending) endPart(ctx context.Context, end bool) error {
	if !s.inPart {
		return nil
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	s.inPart = false
	s.window -= wire.FrameCost
	if end {
		s.over()
	}
	return s.connection.write(nil, func(out []byte) []byte {
		out = wire.AppendInteger(append(out, `{"op":"data"`...), wire.ID, s.id)
		if end { // Named as content, or with `end` it would be no piece of a message at all.
			return append(out, `,"content_type":"text/plain","end":true}`...)
		}
		return append(out, '}')
	})
}

// frameWords are what a frame of a message says besides.
type frameWords struct {
	isFirst     bool // It says what the message is.
	isPart      bool
	isEnd       bool
	isUnordered bool
}

func (s *sending) write(message *Message, content []byte, words frameWords) error {
	err := s.connection.write(content, func(out []byte) []byte {
		out = wire.AppendInteger(append(out, `{"op":"data"`...), wire.ID, s.id)
		if words.isFirst {
			out = wire.AppendText(out, wire.Type, message.Type)
			// A last message of nothing is named as content, or it would be none.
			if message.ContentType != JSON || (words.isEnd && len(content) == 0 && message.Type == "") {
				out = wire.AppendText(out, wire.ContentType, message.ContentType)
			}
			out, _ = wire.AppendObject(out, wire.Ext, message.Ext) // Checked before.
		}
		out = wire.AppendTrue(out, wire.Part, words.isPart)
		out = wire.AppendTrue(out, wire.Unordered, words.isUnordered)
		out = wire.AppendTrue(out, wire.End, words.isEnd)
		return append(out, '}')
	})
	if err != nil {
		return err
	}
	s.window -= int64(len(content)) + wire.FrameCost
	if words.isEnd {
		s.over()
	}
	return nil
}

// over is called, with mu held, where the last frame is written.
func (s *sending) over() {
	s.err = errInputEnded()
	s.isOver = true
}

// hasEnded tells whether the last frame is written.
func (s *sending) hasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isOver
}

// cutAt is where the piece that starts at at stops: texts are cut between characters.
func (s *sending) cutAt(content []byte, at int, message *Message) int {
	stop := at + int(min(wire.PartBytesMax, s.connection.contentBytesMax.Load()))
	if stop >= len(content) {
		return len(content)
	}
	if message.IsText() {
		for back := 0; back < utf8.UTFMax-1 && stop > at+1 && !utf8.RuneStart(content[stop]); back++ {
			stop--
		}
	}
	return stop
}
