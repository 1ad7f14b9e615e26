package coagent

import (
	"net"
	"runtime"
	"syscall"
	"time"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

const (
	// coalescedBytesMax is how large a content may be to be copied beside other frames.
	coalescedBytesMax = 64 * 1024
	// queuedBytesMax is how much may wait for the socket before senders wait.
	queuedBytesMax = 1024 * 1024
	// closely is how soon after a write the next is left to the writing goroutine, which gathers
	// what the other goroutines are about to write.
	closely = 50 * time.Microsecond
)

// writer is what is to be written to a socket. All of it but run and finish is called with the
// connection's mutex held.
//
// A frame on its own is written at once by whoever has it, without waiting: what the socket does
// not take, and what comes while a write goes on, is left to the writing goroutine.
type writer struct {
	connection *connection
	raw        syscall.RawConn
	wake       chan struct{}

	tail      []byte   // Small frames, one behind the other.
	full      [][]byte // What goes before the tail: large contents, and the tails before them.
	spare     []byte   // The tail that was written last, to be filled again.
	queued    int      // Bytes that are not yet taken by the socket.
	isWriting bool     // Somebody writes: the goroutine, or a frame's owner.
	rest      []byte   // What an owner could not write; then the goroutine goes on.
	isHanded  bool
	isClosing bool
	flushed   int64
	space     chan struct{} // Closed once less is queued; nil while nobody waits.

	now    []byte // What tryWrite writes, and what came of it.
	taken  int
	failed error
	try    func(fd uintptr) bool
}

func (w *writer) init(c *connection) {
	w.connection = c
	w.wake = make(chan struct{}, 1)
	w.flushed = -int64(closely)
	if socket, ok := c.socket.(syscall.Conn); ok {
		w.raw, _ = socket.SyscallConn()
	}
	w.try = func(fd uintptr) bool {
		w.taken, w.failed = writeNow(fd, w.now)
		return true
	}
}

// put queues a frame.
func (w *writer) put(content []byte, header func([]byte) []byte) error {
	if w.isClosing {
		return nil // Nobody reads it any more.
	}
	if w.tail == nil {
		w.tail, w.spare = w.spare[:0], nil
	}
	start := len(w.tail)
	w.tail = header(wire.BeginHeader(w.tail))
	if size := len(w.tail) - start - 8; size > wire.HeaderBytesMaxClient {
		w.tail = w.tail[:start]
		return failure(InvalidArgument, "too_large", "a header of %d bytes exceeds %d", size,
			wire.HeaderBytesMaxClient)
	}
	wire.EndHeader(w.tail, start, len(content))
	w.queued += len(w.tail) - start + len(content)
	if len(content) > coalescedBytesMax {
		w.full = append(w.full, w.tail, content)
		w.tail = nil
	} else {
		w.tail = append(w.tail, content...)
	}
	return nil
}

// isFull tells whether senders have to wait.
func (w *writer) isFull() bool { return w.queued > queuedBytesMax && !w.isClosing }

// hasSpace is closed once senders need not wait.
func (w *writer) hasSpace() <-chan struct{} {
	if w.space == nil {
		w.space = make(chan struct{})
	}
	return w.space
}

// flush writes what is queued, or has the writing goroutine do it.
func (w *writer) flush() {
	if w.isWriting || w.isClosing {
		return
	}
	now := w.connection.now()
	if now-w.flushed < int64(closely) || len(w.full) > 0 || w.raw == nil {
		w.signal()
		return
	}
	w.isWriting = true
	w.now, w.tail = w.tail, nil
	w.connection.mu.Unlock()
	err := w.raw.Write(w.try)
	w.connection.mu.Lock()
	w.flushed = now
	if err != nil || w.failed != nil {
		w.taken = 0 // The goroutine meets the error again.
	}
	w.wrote(w.taken)
	if w.taken < len(w.now) {
		w.rest, w.isHanded = w.now[w.taken:], true
		w.signal()
		return
	}
	w.keep(w.now)
	w.isWriting = false
	if len(w.tail) > 0 || len(w.full) > 0 || w.isClosing {
		w.signal()
	}
}

func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// wrote counts what the socket took.
func (w *writer) wrote(count int) {
	w.queued -= count
	if w.space != nil && !w.isFull() {
		close(w.space)
		w.space = nil
	}
}

// keep saves an empty tail from being made anew, unless it grew large.
func (w *writer) keep(tail []byte) {
	if w.spare == nil && tail != nil && cap(tail) <= queuedBytesMax {
		w.spare = tail[:0]
	}
}

// run is the writing goroutine. It ends once the connection is closing and all is written.
func (w *writer) run() {
	c := w.connection
	var batch net.Buffers
	for range w.wake {
		runtime.Gosched() // Whoever is about to write has its turn first.
		c.mu.Lock()
		for !w.isWriting || w.isHanded {
			tail := w.tail
			batch = w.batch(batch[:0])
			if len(batch) == 0 {
				break
			}
			w.isWriting, w.isHanded = true, false
			c.mu.Unlock()
			all := batch
			count, err := batch.WriteTo(c.socket)
			batch = all
			c.mu.Lock()
			w.isWriting = false
			w.flushed = c.now()
			w.keep(tail)
			w.wrote(int(count))
			if err != nil {
				c.mu.Unlock()
				w.stop()
				return
			}
		}
		isOver := w.isClosing && !w.isWriting
		c.mu.Unlock()
		if isOver {
			w.stop()
			return
		}
	}
}

// batch takes all that is queued.
func (w *writer) batch(batch net.Buffers) net.Buffers {
	if len(w.rest) > 0 {
		batch = append(batch, w.rest)
	}
	batch = append(batch, w.full...)
	if len(w.tail) > 0 {
		batch = append(batch, w.tail)
		w.tail = nil
	}
	clear(w.full)
	w.full, w.rest = w.full[:0], nil
	return batch
}

// stop closes the socket: nothing more can be, or is to be, written. The reader hears of it.
func (w *writer) stop() {
	c := w.connection
	_ = c.socket.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	w.isClosing = true
	w.wrote(w.queued)
}

// finish has what is queued written, within a bound, and then the socket closed.
func (w *writer) finish() {
	c := w.connection
	_ = c.socket.SetWriteDeadline(time.Now().Add(flushTime))
	c.mu.Lock()
	w.isClosing = true
	w.wrote(0)
	w.signal()
	c.mu.Unlock()
}
