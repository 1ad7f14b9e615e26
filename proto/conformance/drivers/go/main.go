// The driver of the Go client, as proto/conformance/DRIVER.md says: commands come in as lines of
// JSON; results and events go out likewise.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

const lineBytesMax = 256 * 1024 * 1024

// beginTime is how long the next command waits for one to have begun, at most.
const beginTime = 2 * time.Second

type object = map[string]any

// unsupported is a command, or an option of it, that means nothing in this client.
type unsupported string

func (u unsupported) Error() string { return string(u) }

// driver is what the commands gave names to.
type driver struct {
	output sync.Mutex

	mu            sync.Mutex
	clients       map[string]*coagent.Client
	registrations map[string]*coagent.Registration
	streams       map[string]stream
	calls         map[string]*scriptedCall
	names         map[*coagent.Request]string
	running       map[int]context.CancelFunc
	lastCall      int
	lastInstance  int
	commands      sync.WaitGroup
}

func main() {
	d := &driver{
		clients:       map[string]*coagent.Client{},
		registrations: map[string]*coagent.Registration{},
		streams:       map[string]stream{},
		calls:         map[string]*scriptedCall{},
		names:         map[*coagent.Request]string{},
		running:       map[int]context.CancelFunc{},
	}
	d.emit(object{"event": "ready", "language": language})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, lineBytesMax)
	for lines.Scan() {
		var command command
		if err := json.Unmarshal(lines.Bytes(), &command); err != nil {
			fmt.Fprintln(os.Stderr, "driver:", err)
			continue
		}
		d.begin(command)
	}
	d.end()
}

// emit writes a line.
func (d *driver) emit(line object) {
	encoded, err := json.Marshal(line)
	if err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
		return
	}
	d.output.Lock()
	defer d.output.Unlock()
	if _, err := os.Stdout.Write(append(encoded, '\n')); err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
	}
}

// begin starts a command on a goroutine of its own and returns once it is done or waits for
// something: so commands begin in their order and wait for nobody.
func (d *driver) begin(command command) {
	ctx, cancel := context.WithCancel(context.Background())
	begun := make(chan struct{})
	var once sync.Once
	begin := func() { once.Do(func() { close(begun) }) }
	d.mu.Lock()
	d.running[command.N] = cancel
	d.mu.Unlock()
	d.commands.Add(1)
	go func() {
		defer d.commands.Done()
		defer begin()
		result, err := d.perform(ctx, begin, command)
		d.mu.Lock()
		delete(d.running, command.N)
		d.mu.Unlock()
		d.report(ctx, command.N, result, err)
		cancel()
	}()
	timer := time.NewTimer(beginTime)
	defer timer.Stop()
	select {
	case <-begun:
	case <-timer.C:
	}
}

// begunContext tells when somebody waits for it: what was to begin has begun by then.
type begunContext struct {
	context.Context
	begin func()
}

func (c begunContext) Done() <-chan struct{} {
	c.begin()
	return c.Context.Done()
}

func (d *driver) report(ctx context.Context, n int, result object, err error) {
	var none unsupported
	var failed *coagent.Error
	switch {
	case err == nil:
		if result == nil {
			result = object{}
		}
		d.emit(object{"n": n, "ok": result})
	case errors.As(err, &none):
		d.emit(object{"n": n, "unsupported": none.Error()})
	case errors.Is(ctx.Err(), context.Canceled):
		d.emit(object{"n": n, "error": object{"code": "cancelled", "message": err.Error()}})
	case errors.As(err, &failed):
		d.emit(object{"n": n, "error": errorJSON(failed)})
	default:
		fmt.Fprintln(os.Stderr, "driver:", err)
		d.emit(object{"n": n, "error": object{"code": "driver", "message": err.Error()}})
	}
}

// end closes every client.
func (d *driver) end() {
	d.mu.Lock()
	clients := d.clients
	d.clients = map[string]*coagent.Client{}
	for _, cancel := range d.running {
		cancel()
	}
	for _, call := range d.calls {
		call.release()
	}
	d.mu.Unlock()
	for _, client := range clients {
		if err := client.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "driver:", err)
		}
	}
	d.commands.Wait()
}
