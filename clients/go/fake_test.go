package coagent_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

// bound is how long anything may take; a busy machine is slow.
const bound = 20 * time.Second

type fields = map[string]any

// fakeSidecar does what a test tells it: it accepts, reads frames one by one, writes any.
type fakeSidecar struct {
	t        *testing.T
	path     string
	listener net.Listener
	peers    chan *peer
}

func newFakeSidecar(t *testing.T) *fakeSidecar {
	t.Helper()
	noLeaks(t)
	folder, err := os.MkdirTemp("/tmp", "coagent-go-")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeSidecar{t: t, path: filepath.Join(folder, "s"), peers: make(chan *peer, 16)}
	f.listen()
	t.Cleanup(func() {
		f.stop()
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *fakeSidecar) url() string { return "unix:" + f.path }

func (f *fakeSidecar) listen() {
	listener, err := net.Listen("unix", f.path)
	if err != nil {
		f.t.Fatal(err)
	}
	f.listener = listener
	go func() {
		for {
			socket, err := listener.Accept()
			if err != nil {
				return
			}
			f.peers <- &peer{t: f.t, socket: socket, reader: bufio.NewReader(socket)}
		}
	}()
}

// stop takes no more connections; those that are there go on.
func (f *fakeSidecar) stop() { _ = f.listener.Close() }

// accept is the next connection.
func (f *fakeSidecar) accept() *peer {
	f.t.Helper()
	select {
	case p := <-f.peers:
		f.t.Cleanup(func() { _ = p.socket.Close() })
		return p
	case <-time.After(bound):
		f.t.Fatal("nobody connects")
		return nil
	}
}

// welcome is the next connection, greeted.
func (f *fakeSidecar) welcome(more ...fields) *peer {
	f.t.Helper()
	p := f.accept()
	p.greet(more...)
	return p
}

// linked is a client and the other end of its connection; the client is closed with the test.
func linked(t *testing.T, options ...coagent.ConnectOption) (*coagent.Client, *peer) {
	t.Helper()
	f := newFakeSidecar(t)
	return f.link(options...)
}

func (f *fakeSidecar) link(options ...coagent.ConnectOption) (*coagent.Client, *peer) {
	f.t.Helper()
	connecting := begin(func() (*coagent.Client, error) {
		return coagent.Connect(within(f.t), f.url(), append(options, quiet())...)
	})
	p := f.welcome()
	client := connecting.ok(f.t)
	f.t.Cleanup(func() {
		if err := client.Close(); err != nil {
			f.t.Error(err)
		}
	})
	return client, p
}

// peer is the sidecar's end of one connection.
type peer struct {
	t      *testing.T
	socket net.Conn
	reader *bufio.Reader
	lastID int
}

// got is a frame that came.
type got struct {
	header  fields
	content []byte
}

func (g got) id() int {
	id, _ := g.header["id"].(float64)
	return int(id)
}

func (g got) text(field string) string {
	text, _ := g.header[field].(string)
	return text
}

// next is the next frame, which must be of that op.
func (p *peer) next(op string) got {
	p.t.Helper()
	g, err := p.read()
	if err != nil {
		p.t.Fatalf("no %s: %v", op, err)
	}
	if g.text("op") != op {
		p.t.Fatalf("%v %q, wanted %s", g.header, g.content, op)
	}
	return g
}

func (p *peer) read() (got, error) {
	var g got
	lengths := make([]byte, 8)
	if err := p.socket.SetReadDeadline(time.Now().Add(bound)); err != nil {
		return g, err
	}
	if _, err := io.ReadFull(p.reader, lengths); err != nil {
		return g, err
	}
	raw := make([]byte, binary.BigEndian.Uint32(lengths))
	if _, err := io.ReadFull(p.reader, raw); err != nil {
		return g, err
	}
	g.content = make([]byte, binary.BigEndian.Uint32(lengths[4:]))
	if _, err := io.ReadFull(p.reader, g.content); err != nil {
		return g, err
	}
	return g, json.Unmarshal(raw, &g.header)
}

func (p *peer) greet(more ...fields) got {
	p.t.Helper()
	hello := p.next("hello")
	welcome := fields{"op": "welcome", "v": 1, "server": "fake/1", "connection": "c1",
		"max_content": 16 << 20, "heartbeat_ms": 0, "features": hello.text("features")}
	for _, each := range more {
		for key, value := range each {
			welcome[key] = value
		}
	}
	p.send(welcome, "")
	return hello
}

func frame(header any, content string) []byte {
	raw, ok := header.(string)
	if !ok {
		encoded, err := json.Marshal(header)
		if err != nil {
			panic(err)
		}
		raw = string(encoded)
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(len(raw)))
	out = binary.BigEndian.AppendUint32(out, uint32(len(content)))
	return append(append(out, raw...), content...)
}

func (p *peer) send(header any, content string) {
	p.t.Helper()
	p.write(frame(header, content))
}

func (p *peer) write(raw []byte) {
	p.t.Helper()
	if _, err := p.socket.Write(raw); err != nil {
		p.t.Fatal(err)
	}
}

// data answers a call of the client's.
func (p *peer) data(id int, content string, more ...fields) {
	p.t.Helper()
	header := fields{"op": "data", "id": id}
	for _, each := range more {
		for key, value := range each {
			header[key] = value
		}
	}
	p.send(header, content)
}

// fail ends a call of the client's with an error.
func (p *peer) fail(id int, code, reason string, more ...fields) {
	p.t.Helper()
	header := fields{"op": "error", "id": id, "code": code, "reason": reason, "message": "because"}
	for _, each := range more {
		for key, value := range each {
			header[key] = value
		}
	}
	p.send(header, "")
}

// call writes a call with the next even id.
func (p *peer) call(to, content string, more ...fields) int {
	p.t.Helper()
	p.lastID += 2
	header := fields{"op": "call", "id": p.lastID, "to": to, "window": 1 << 20}
	for _, each := range more {
		for key, value := range each {
			header[key] = value
		}
	}
	p.send(header, content)
	return p.lastID
}

// registered answers the next registration, which must be of that name.
func (p *peer) registered(name string) got {
	p.t.Helper()
	register := p.next("register")
	if register.text("name") != name {
		p.t.Fatalf("%v, wanted %s", register.header, name)
	}
	p.send(fields{"op": "ok", "id": register.id()}, "")
	return register
}

// nothing is on its way: a ping, which what waits does not pass, is the next to be answered.
func (p *peer) nothing() {
	p.t.Helper()
	p.send(fields{"op": "ping"}, "")
	p.next("pong")
}

// is compares a header, of which id may be left out.
func (p *peer) is(g got, wanted fields) {
	p.t.Helper()
	header := fields{}
	for key, value := range g.header {
		header[key] = value
	}
	if _, ok := wanted["id"]; !ok {
		delete(header, "id")
	}
	encoded, _ := json.Marshal(wanted)
	var plain fields
	_ = json.Unmarshal(encoded, &plain)
	if !reflect.DeepEqual(header, plain) {
		p.t.Fatalf("%v, wanted %v", header, plain)
	}
}

// closed waits until the client has closed.
func (p *peer) closed() {
	p.t.Helper()
	for {
		if _, err := p.read(); err != nil {
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				p.t.Fatal("it is not closed")
			}
			return
		}
	}
}

// pending is what a function running beside the test comes to.
type pending[T any] struct {
	done  chan struct{}
	value T
	err   error
}

func begin[T any](run func() (T, error)) *pending[T] {
	p := &pending[T]{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.value, p.err = run()
	}()
	return p
}

func (p *pending[T]) wait(t *testing.T) (T, error) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(bound):
		t.Fatal("it hangs")
	}
	return p.value, p.err
}

func (p *pending[T]) ok(t *testing.T) T {
	t.Helper()
	value, err := p.wait(t)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// within is a context that ends with the test or after the bound.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	t.Cleanup(cancel)
	return ctx
}

// watched are the tests that noLeaks looks after.
var watched sync.Map

// noLeaks has the test fail if goroutines of the client outlive it. It goes before what starts any.
func noLeaks(t testing.TB) {
	t.Helper()
	if _, isWatched := watched.LoadOrStore(t, true); isWatched {
		return
	}
	t.Cleanup(func() {
		// They end a moment after what they ran: nothing tells of that.
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		stacks := clientStacks()
		for until := time.Now().Add(bound); stacks != ""; stacks = clientStacks() {
			if <-ticker.C; time.Now().After(until) {
				t.Fatalf("goroutines are left:\n%s", stacks)
			}
		}
	})
}

func clientStacks() string {
	buffer := make([]byte, 1<<20)
	var left []string
	for _, stack := range strings.Split(string(buffer[:runtime.Stack(buffer, true)]), "\n\n") {
		if strings.Contains(stack, "github.com/coagent/coagent/clients/go.") {
			left = append(left, stack)
		}
	}
	return strings.Join(left, "\n\n")
}
