package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/coagent/coagent/bench/go/measuring"
)

// header holds the fields that a bare pair looks at.
type header struct {
	Op     string `json:"op"`
	ID     int64  `json:"id"`
	To     string `json:"to"`
	Window *int   `json:"window"`
	Bytes  int    `json:"bytes"`
	End    bool   `json:"end"`
}

// connection writes frames at once, each with one system call, and splits what arrives into frames.
type connection struct {
	socket net.Conn
	reader *bufio.Reader

	mutex sync.Mutex
	frame []byte // the room in which frames are put together
}

// connect says hello, or takes its place at the relay.
func connect(arguments measuring.Arguments, role int) (*connection, error) {
	socket, err := net.Dial("unix", strings.TrimPrefix(arguments.URL, "unix:"))
	if err != nil {
		return nil, err
	}
	c := &connection{socket: socket, reader: bufio.NewReaderSize(socket, 256*1024)}
	if arguments.Relay < 0 {
		return c, c.write(`{"op":"hello","v":1,"client":"bare"}`, nil)
	}
	if _, err := socket.Write([]byte{byte(arguments.Relay*2 + role)}); err != nil {
		return nil, err
	}
	if role == 1 {
		fmt.Println("waiting")
	}
	_, err = c.reader.ReadByte()
	return c, err
}

func (c *connection) write(header string, content []byte) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	frame := binary.BigEndian.AppendUint32(c.frame[:0], uint32(len(header)))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(content)))
	frame = append(frame, header...)
	c.frame = append(frame, content...)
	_, err := c.socket.Write(c.frame)
	return err
}

// read gives each frame to received, in order, until the connection or received fails.
func (c *connection) read(received func(header, []byte) error) error {
	var lengths [8]byte
	for {
		if _, err := io.ReadFull(c.reader, lengths[:]); err != nil {
			return err
		}
		headerSize := binary.BigEndian.Uint32(lengths[:4])
		frame := make([]byte, headerSize+binary.BigEndian.Uint32(lengths[4:]))
		if _, err := io.ReadFull(c.reader, frame); err != nil {
			return err
		}
		var h header
		if err := json.Unmarshal(frame[:headerSize], &h); err != nil {
			return err
		}
		if err := received(h, frame[headerSize:]); err != nil {
			return err
		}
	}
}
