package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/coagent/coagent/bench/go/measuring"
)

var part = []byte(`"t"`)

type stream struct {
	window, left int
}

// bareHost echoes calls, and streams parts for calls to ….stream while their window is open.
type bareHost struct {
	connection *connection
	streams    map[int64]*stream
}

func (b *bareHost) run(arguments measuring.Arguments) error {
	if arguments.Relay < 0 {
		for n, leaf := range []string{"echo", "stream"} {
			if err := b.register(2*n+1, leaf); err != nil {
				return err
			}
		}
	}
	if err := b.connection.read(b.received); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (b *bareHost) register(id int, leaf string) error {
	return b.connection.write(fmt.Sprintf(
		`{"op":"register","id":%d,"name":"bench.%s","concurrency":100000}`, id, leaf), nil)
}

func (b *bareHost) received(h header, content []byte) error {
	switch {
	case h.Op == "call" && strings.HasSuffix(h.To, ".stream"):
		left, err := strconv.Atoi(string(content))
		if err != nil {
			return err
		}
		s := &stream{window: window, left: left}
		if h.Window != nil {
			s.window = *h.Window
		}
		b.streams[h.ID] = s
		return b.goOn(h.ID, s)
	case h.Op == "call":
		return b.connection.write(fmt.Sprintf(`{"op":"data","id":%d,"end":true}`, h.ID), content)
	case h.Op == "credit" && b.streams[h.ID] != nil:
		s := b.streams[h.ID]
		s.window += h.Bytes
		return b.goOn(h.ID, s)
	case h.Op == "ok" && h.ID == 3:
		fmt.Println("ready")
	case h.Op == "ping":
		return b.connection.write(`{"op":"pong"}`, nil)
	case h.Op == "error":
		return unexpected(h)
	}
	return nil
}

func (b *bareHost) goOn(id int64, s *stream) error {
	header := fmt.Sprintf(`{"op":"data","id":%d,"part":true}`, id)
	for s.left > 1 && s.window > 0 {
		if err := b.connection.write(header, part); err != nil {
			return err
		}
		s.window -= len(part) + frameCost
		s.left--
	}
	if s.left == 1 && s.window > 0 {
		delete(b.streams, id)
		return b.connection.write(fmt.Sprintf(`{"op":"data","id":%d,"end":true}`, id), part)
	}
	return nil
}
