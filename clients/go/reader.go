package coagent

import (
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// read reads the socket until it ends. It never waits for the application nor for a write.
func (c *connection) read() {
	buffer := make([]byte, readBytes)
	for {
		count, err := c.socket.Read(buffer)
		if count > 0 {
			c.heard.Store(c.now())
			if fault := c.decoder.Feed(buffer[:count], c.onFrame); fault != nil {
				c.refuse(fault)
				return
			}
		}
		if err != nil {
			c.lost(err)
			return
		}
	}
}

// lost ends the connection, whose socket has: for what the sidecar said before, if it did.
func (c *connection) lost(err error) {
	failed := c.fault
	if failed == nil {
		failed = failure(Unavailable, "connection_lost", "the connection was lost")
		if !errors.Is(err, io.EOF) {
			failed.Message += ": " + err.Error()
			failed.cause = err
		}
	}
	c.abort(failed)
}

// onFrame handles one frame; false if nothing more is to be read.
func (c *connection) onFrame(header *wire.Header, content []byte) bool {
	if c.isRefused() {
		return false
	}
	id := header.Integer(wire.ID)
	switch header.Text(wire.Op) {
	case "data":
		if e := c.endpoint(id); e != nil {
			e.onData(header, content)
		}
	case "credit":
		if e := c.endpoint(id); e != nil {
			e.onCredit(header.Integer(wire.Bytes))
		}
	case "call":
		if c.takes(id) {
			c.client.hosting.called(c, id, header, content)
		}
	case "error":
		c.onError(id, header)
	case "ok":
		if e := c.endpoint(id); e != nil {
			e.onOK()
		}
	case "cancel":
		if e := c.endpoint(id); e != nil {
			e.onCancel(header.Text(wire.Reason))
		}
	case "signal":
		if c.takes(id) {
			c.client.hosting.signalled(c, id, header, content)
		}
	case "ping":
		c.writePing("pong")
	case "pong":
		select {
		case c.pong <- struct{}{}:
		default:
		}
	case "close":
		if c.takes(id) {
			c.client.hosting.closing(c, id, header)
		}
	case "welcome":
		c.onWelcome(header)
	case "goodbye":
		c.onGoodbye(header)
	default:
		// Of a later version: ignored.
	}
	return !c.isRefused()
}

// isRefused tells that one of the two sides has refused the connection.
func (c *connection) isRefused() bool { return c.fault != nil && !c.isWelcome }

// endpoint is what an id stands for; nil if it has ended. One never opened ends the connection.
func (c *connection) endpoint(id int64) endpoint {
	c.mu.Lock()
	e, lastOwn := c.open[id], c.lastOwn
	c.mu.Unlock()
	if e != nil {
		return e
	}
	last := c.lastTheirs
	if id%2 == 1 {
		last = lastOwn
	}
	if id == 0 || id > last {
		c.refuse(&wire.Fault{Reason: "bad_id", Text: "an id that was never opened"})
	}
	return nil
}

// takes tells whether the sidecar may open this id.
func (c *connection) takes(id int64) bool {
	if id%2 == 1 || id <= c.lastTheirs {
		c.refuse(&wire.Fault{Reason: "bad_id", Text: "an id that the sidecar may not open"})
		return false
	}
	c.lastTheirs = id
	return true
}

func (c *connection) onError(id int64, header *wire.Header) {
	if id != 0 {
		if e := c.endpoint(id); e != nil {
			e.onError(header)
		}
		return
	}
	switch header.Text(wire.Reason) {
	case "unknown_op", "bad_field", "missing_field":
		if c.isWelcome {
			return // It goes on.
		}
	}
	// The connection's fault: the sidecar closes it now, and this says why.
	c.fault = errorFrom(header, "")
	if !c.isWelcome {
		c.abort(c.fault)
	}
}

func (c *connection) onWelcome(header *wire.Header) {
	if c.isWelcome {
		return
	}
	c.isWelcome = true
	if size := header.Integer(wire.MaxContent); size > 0 {
		c.contentBytesMax.Store(size)
		c.decoder.ContentBytesMax = max(int(size), wire.ContentBytesMax)
	}
	if ms := header.Integer(wire.HeartbeatMS); ms > 0 {
		c.startHeartbeat(ms)
	}
	c.hasSignals.Store(slices.Contains(strings.Fields(header.Text(wire.Features)), "signals"))
	close(c.welcome)
	c.client.welcomed()
}

// onGoodbye is that nothing new is to be begun here. A sidecar that shuts down closes the
// connection when all is done; one whose operator drained this client leaves it open, and refuses.
func (c *connection) onGoodbye(header *wire.Header) {
	if header.Text(wire.Reason) == "drained" {
		c.isDrained.Store(true)
	} else {
		c.isDraining.Store(true)
	}
	c.client.draining(c)
}

// refuse closes the connection for bytes that cannot be trusted, and says so to the sidecar.
func (c *connection) refuse(fault *wire.Fault) {
	c.writeError(0, failure(InvalidArgument, fault.Reason, "%s", fault.Text))
	ended := c.end(failure(Unavailable, "connection_lost",
		"the sidecar sent what cannot be trusted: %s", fault.Text))
	if ended {
		c.fault, c.isWelcome = c.ended(), false // Nothing more is read.
		c.writer.finish()
	}
}
