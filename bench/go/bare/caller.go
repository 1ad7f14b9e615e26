package main

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"strconv"
	"sync"

	"github.com/coagent/coagent/bench/go/measuring"
)

type call struct {
	isStream bool
	consumed int
	reply    chan []byte
}

// bareCaller makes calls, each of which waits for its reply; streams count parts and grant credit
// in halves of the window.
type bareCaller struct {
	connection  *connection
	arguments   measuring.Arguments
	measurement *measuring.Measurement

	mutex  sync.Mutex
	calls  map[int64]*call
	nextID int64
}

func newCaller(connection *connection, arguments measuring.Arguments) *bareCaller {
	return &bareCaller{
		connection:  connection,
		arguments:   arguments,
		measurement: measuring.Begin(arguments),
		calls:       map[int64]*call{},
		nextID:      1,
	}
}

func (b *bareCaller) run() error {
	go func() { log.Fatal(b.connection.read(b.received)) }()
	var err error
	if parts := b.arguments.Parts; parts > 0 {
		err = b.measurement.Workers(1, func() error {
			_, err := b.call("stream", []byte(strconv.Itoa(parts)), true)
			return err
		})
	} else {
		content := []byte(`"` + string(bytes.Repeat([]byte("x"), max(b.arguments.Size-2, 0))) + `"`)
		err = b.measurement.Workers(b.arguments.Depth, func() error { return b.echo(content) })
	}
	if err != nil {
		return err
	}
	return b.measurement.Print()
}

func (b *bareCaller) echo(content []byte) error {
	reply, err := b.call("echo", content, false)
	if err == nil && len(reply) != len(content) {
		err = errors.New("another content came back")
	}
	return err
}

// call numbers and writes in one step, so that ids are written in their order.
func (b *bareCaller) call(leaf string, content []byte, isStream bool) ([]byte, error) {
	c := &call{isStream: isStream, reply: make(chan []byte, 1)}
	b.mutex.Lock()
	id := b.nextID
	b.nextID += 2
	b.calls[id] = c
	err := b.connection.write(fmt.Sprintf(
		`{"op":"call","id":%d,"to":"bench.%s","type":"Ping","timeout_ms":30000}`, id, leaf), content)
	b.mutex.Unlock()
	if err != nil {
		return nil, err
	}
	return <-c.reply, nil
}

func (b *bareCaller) received(h header, content []byte) error {
	switch h.Op {
	case "data":
		b.mutex.Lock()
		c := b.calls[h.ID]
		if h.End {
			delete(b.calls, h.ID)
		}
		b.mutex.Unlock()
		if c == nil {
			return unexpected(h)
		}
		if c.isStream {
			b.measurement.Part()
			if err := b.consume(h.ID, c, len(content)+frameCost); err != nil {
				return err
			}
		}
		if h.End {
			c.reply <- content
		}
	case "ping":
		return b.connection.write(`{"op":"pong"}`, nil)
	case "error":
		return unexpected(h)
	}
	return nil
}

func (b *bareCaller) consume(id int64, c *call, cost int) error {
	c.consumed += cost
	if c.consumed < window/2 {
		return nil
	}
	granted := c.consumed
	c.consumed = 0
	return b.connection.write(fmt.Sprintf(`{"op":"credit","id":%d,"bytes":%d}`, id, granted), nil)
}
