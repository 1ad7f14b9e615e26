package coagent_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// relay stands before a sidecar: a test can cut its connections, and put another sidecar behind it.
type relay struct {
	listener net.Listener
	url      string

	mu      sync.Mutex // Guards what follows.
	target  string
	sockets []net.Conn
}

func newRelay(t *testing.T, url string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: listener, url: "tcp://" + listener.Addr().String(), target: url}
	var all sync.WaitGroup
	all.Add(1)
	go func() { defer all.Done(); r.accept(&all) }()
	t.Cleanup(func() {
		_ = listener.Close()
		r.cut()
		all.Wait()
	})
	return r
}

func (r *relay) accept(all *sync.WaitGroup) {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		far, err := net.Dial("unix", strings.TrimPrefix(r.target, "unix:"))
		if err != nil {
			_ = near.Close()
		} else {
			r.sockets = append(r.sockets, near, far)
			all.Add(2)
			go pass(all, near, far)
			go pass(all, far, near)
		}
		r.mu.Unlock()
	}
}

func pass(all *sync.WaitGroup, to, from net.Conn) {
	defer all.Done()
	_, _ = io.Copy(to, from)
	_, _ = to.Close(), from.Close()
}

// cut ends all connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, socket := range r.sockets {
		_ = socket.Close()
	}
	r.sockets = nil
}

// lead has further connections go to another sidecar.
func (r *relay) lead(url string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = url
}
