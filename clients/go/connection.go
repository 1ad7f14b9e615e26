package coagent

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

const (
	readBytes     = 64 * 1024
	flushTime     = 5 * time.Second
	roundTripTime = time.Second
	heartbeatsMax = 3
)

// endpoint is what an open id stands for. It is called by the goroutine that reads, in the order
// of the frames, and returns at once.
type endpoint interface {
	onData(header *wire.Header, content []byte)
	onCredit(bytes int64)
	onOK()
	onError(header *wire.Header)
	onCancel(reason string)
	onLost(err *Error)
}

// connection is one socket to the sidecar and its protocol state. Ids are numbered and written in
// one step, under mu. What arrives goes to whatever its id stands for; a frame for an id that has
// ended crossed its end and is dropped.
type connection struct {
	client *Client
	socket net.Conn
	writer writer

	welcome chan struct{} // Closed once the sidecar said it.
	done    chan struct{} // Closed once the connection has ended.
	pong    chan struct{} // Has one element when one came.

	// contentBytesMax is valid once welcome is closed; until then it is the protocol's own.
	contentBytesMax atomic.Int64
	hasSignals      atomic.Bool // The sidecar takes signals. Likewise.
	isDraining      atomic.Bool // It closes soon, and the next takes what is begun now.
	isDrained       atomic.Bool // It stays, and the sidecar refuses what is begun.

	mu      sync.Mutex // Guards what follows, and the writer's queue.
	open    map[int64]endpoint
	lastOwn int64
	err     *Error // Why it has ended.

	// Of the reading goroutine alone.
	decoder     *wire.Decoder
	lastTheirs  int64
	isWelcome   bool
	fault       *Error // What the sidecar said against it before it closed.
	heard       atomic.Int64
	began       time.Time
	heartbeatMS int64
	heartbeat   *time.Timer
}

func newConnection(client *Client, socket net.Conn) *connection {
	c := &connection{
		client:  client,
		socket:  socket,
		welcome: make(chan struct{}),
		done:    make(chan struct{}),
		pong:    make(chan struct{}, 1),
		open:    make(map[int64]endpoint),
		lastOwn: -1,
		decoder: wire.NewDecoder(),
		began:   time.Now(),
	}
	c.contentBytesMax.Store(wire.ContentBytesMax)
	c.writer.init(c)
	return c
}

// run starts the two goroutines.
func (c *connection) run(goroutines *sync.WaitGroup) {
	goroutines.Add(2)
	go func() { defer goroutines.Done(); c.writer.run() }()
	go func() { defer goroutines.Done(); c.read() }()
}

// ended is why the connection has ended, or nil.
func (c *connection) ended() *Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// isReady tells whether new calls may be made here.
func (c *connection) isReady() bool { return c.isLinked() && !c.isDraining.Load() }

// isLinked tells whether the sidecar has greeted and is there.
func (c *connection) isLinked() bool {
	select {
	case <-c.welcome:
		return c.ended() == nil
	default:
		return false
	}
}

// close says goodbye, writes what is left, and closes. Open calls end `unavailable`.
func (c *connection) close(reason string) {
	if c.end(failure(Unavailable, "connection_lost", "the client was closed")) {
		c.goodbye(reason, 0)
		c.writer.finish()
	}
}

// goodbye says that no new calls are to come here.
func (c *connection) goodbye(reason string, timeoutMS int64) {
	_ = c.write(nil, func(out []byte) []byte {
		out = wire.AppendText(append(out, `{"op":"goodbye"`...), wire.Reason, reason)
		return append(wire.AppendInteger(out, wire.TimeoutMS, timeoutMS), '}')
	})
}

// abort closes at once; everything open ends with this error.
func (c *connection) abort(err *Error) {
	if c.end(err) {
		_ = c.socket.Close()
		c.writer.finish()
	}
}

// end marks the connection as ended and tells whatever is open; false if it had ended before.
func (c *connection) end(err *Error) bool {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return false
	}
	c.err = err
	open := c.open
	c.open = nil
	if c.heartbeat != nil {
		c.heartbeat.Stop()
	}
	c.mu.Unlock()
	for _, each := range open {
		each.onLost(err)
	}
	c.client.lost(c)
	close(c.done)
	return true
}

// Writing

// write puts one frame behind those before it. The content is not kept when write returns, unless
// it is over the size that is worth copying: then it must never change.
func (c *connection) write(content []byte, header func([]byte) []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.writer.put(content, header); err != nil {
		return err
	}
	c.writer.flush()
	return nil
}

// errGone is that the connection has ended: nothing was written.
var errGone = errors.New("the connection has ended")

// openID numbers and writes an opening frame in one step. rest appends the header behind the id.
func (c *connection) openID(
	e endpoint, op string, content []byte, rest func([]byte) []byte,
) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, errGone
	}
	id := c.lastOwn + 2
	err := c.writer.put(content, func(out []byte) []byte {
		out = append(append(append(out, `{"op":"`...), op...), '"')
		return append(rest(wire.AppendInteger(out, wire.ID, id)), '}')
	})
	if err != nil {
		return 0, err
	}
	c.lastOwn = id
	c.open[id] = e
	c.writer.flush()
	return id, nil
}

// adopt has an id that the sidecar opened stand for something; false if the connection has ended.
func (c *connection) adopt(id int64, e endpoint) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.open[id] = e
	}
	return c.err == nil
}

// hasSpace tells whether nobody has to wait for the socket.
func (c *connection) hasSpace() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err == nil && !c.writer.isFull()
}

// waitSpace waits until the socket has taken most of what waits for it, or ctx or the connection
// has ended.
func (c *connection) waitSpace(ctx context.Context) error {
	for {
		c.mu.Lock()
		if c.err != nil || !c.writer.isFull() {
			c.mu.Unlock()
			return nil
		}
		space := c.writer.hasSpace()
		c.mu.Unlock()
		select {
		case <-space:
		case <-c.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// endID forgets an id; later frames for it are dropped.
func (c *connection) endID(id int64) {
	c.mu.Lock()
	delete(c.open, id)
	c.mu.Unlock()
}

func (c *connection) writeCredit(id, bytes int64) {
	_ = c.write(nil, func(out []byte) []byte {
		out = wire.AppendInteger(append(out, `{"op":"credit"`...), wire.ID, id)
		return append(wire.AppendInteger(out, wire.Bytes, bytes), '}')
	})
}

func (c *connection) writeCancel(id int64) {
	_ = c.write(nil, func(out []byte) []byte {
		return append(wire.AppendInteger(append(out, `{"op":"cancel"`...), wire.ID, id), '}')
	})
}

func (c *connection) writeOK(id int64) {
	_ = c.write(nil, func(out []byte) []byte {
		return append(wire.AppendInteger(append(out, `{"op":"ok"`...), wire.ID, id), '}')
	})
}

// roundTrip waits until the sidecar has read what was written so far, but not for long.
func (c *connection) roundTrip(ctx context.Context) {
	timer := time.NewTimer(roundTripTime)
	defer timer.Stop()
	select {
	case <-c.pong: // To a heartbeat's ping, some time ago.
	default:
	}
	c.writePing("ping")
	select {
	case <-c.pong:
	case <-timer.C:
	case <-c.done:
	case <-ctx.Done():
	}
}

// writeError ends an id of the sidecar's with an error; with id 0 it is about the connection.
func (c *connection) writeError(id int64, err *Error) {
	_ = c.write(nil, func(out []byte) []byte { return append(appendError(out, id, err), '}') })
}

// writePing writes `ping` or `pong`.
func (c *connection) writePing(op string) {
	_ = c.write(nil, func(out []byte) []byte {
		return append(append(append(out, `{"op":"`...), op...), `"}`...)
	})
}

// Silence

// now is the time since the connection began, in nanoseconds.
func (c *connection) now() int64 { return int64(time.Since(c.began)) }

func (c *connection) startHeartbeat(ms int64) {
	c.heartbeatMS = ms
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.heartbeat = time.AfterFunc(time.Duration(ms)*time.Millisecond, c.beat)
	}
}

// beat asks for a sign of life after a heartbeat of silence, and gives up after three.
func (c *connection) beat() {
	every := time.Duration(c.heartbeatMS) * time.Millisecond
	silent := time.Duration(c.now() - c.heard.Load())
	if silent >= heartbeatsMax*every {
		c.abort(failure(Unavailable, "heartbeat_timeout", "the sidecar was silent for %.1f s",
			silent.Seconds()))
		return
	}
	wait := every
	if silent >= every {
		c.writePing("ping")
	} else {
		wait -= silent
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.heartbeat.Reset(wait)
	}
}
