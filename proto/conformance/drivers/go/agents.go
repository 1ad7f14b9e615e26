package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"iter"
	"runtime"
	"strings"
	"sync"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

const language = "go"

// agent is the one that a command names, or nil.
func (d *driver) agent(c command) coagent.Agent {
	switch c.Agent {
	case "scripted":
		return coagent.Handler(
			func(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
				return d.handle(ctx, request, out, c, "")
			})
	case "sessions":
		return d.sessions(c)
	case "operations":
		return coagent.Sessions(
			func(context.Context) (*counter, error) { return &counter{}, nil },
			coagent.Operation("add", (*counter).add),
			coagent.Operation("greet", (*counter).greet),
			coagent.StreamOperation("count_up", (*counter).countUp))
	case "recorder":
		return coagent.Sessions(
			func(context.Context) (*recorder, error) { return &recorder{items: []any{}}, nil },
			coagent.Operation("add", (*recorder).add),
			coagent.Operation("show", (*recorder).show))
	case "echo":
		return coagent.Func(echo)
	case "mirror":
		return coagent.Handler(mirror)
	case "generate":
		return coagent.StreamFunc(d.generate)
	case "collect":
		return coagent.Handler(collect)
	case "hang":
		return coagent.Handler(d.hang)
	case "fail":
		return coagent.Func(fail)
	case "relay":
		return coagent.StreamFunc(relay)
	case "slow":
		return coagent.Func(slow)
	case "delegate":
		return coagent.StreamFunc(delegate)
	case "hand_over":
		return coagent.Handler(handOver)
	}
	return nil
}

func again(message *coagent.Message) coagent.Message {
	return coagent.Message{Content: message.Content, ContentType: message.ContentType,
		Type: message.Type}
}

func echo(_ context.Context, message coagent.Message) (coagent.Message, error) {
	return again(&message), nil
}

func mirror(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
	for message, err := range request.Messages() {
		if err != nil {
			return err
		}
		if err := out.Send(ctx, again(message)); err != nil {
			return err
		}
	}
	return nil
}

type amount struct {
	Count int `json:"count"`
	Bytes int `json:"bytes"`
}

func (d *driver) generate(_ context.Context, wanted amount) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		sent := 0
		defer func() { d.emit(object{"event": "generated", "count": sent}) }()
		content := make([]byte, max(wanted.Bytes, 8))
		for ; sent < wanted.Count; sent++ {
			binary.BigEndian.PutUint64(content, uint64(sent))
			if !yield(content, nil) {
				return
			}
		}
	}
}

func collect(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
	count, bytes, sum := 0, 0, sha256.New()
	for message, err := range request.Messages() {
		if err != nil {
			return err
		}
		count++
		bytes += len(message.Content)
		sum.Write(message.Content)
	}
	return out.SendLast(ctx, object{"messages": count, "bytes": bytes,
		"sha256": hex.EncodeToString(sum.Sum(nil))})
}

// counter is the agent `operations`.
type counter struct{ total int }

type person struct {
	Name string `json:"name"`
}

func (c *counter) add(_ context.Context, number int) (int, error) {
	c.total += number
	return c.total, nil
}

func (c *counter) greet(_ context.Context, someone person) (string, error) {
	return "hello " + someone.Name, nil
}

func (c *counter) countUp(_ context.Context, last int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for number := 1; number <= last; number++ {
			if !yield(number, nil) {
				return
			}
		}
	}
}

// recorder keeps what it is given, in order.
type recorder struct {
	mu          sync.Mutex
	items       []any
	running     int
	mostRunning int
}

func (r *recorder) add(_ context.Context, item any) (any, error) {
	r.mu.Lock()
	r.running++
	r.mostRunning = max(r.mostRunning, r.running)
	r.mu.Unlock()
	runtime.Gosched()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.items = append(r.items, item)
	r.running--
	return nil, nil
}

func (r *recorder) show(context.Context, struct{}) (object, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return object{"items": r.items, "most_running": r.mostRunning}, nil
}

func (d *driver) hang(ctx context.Context, request *coagent.Request, _ *coagent.Sender) error {
	d.emit(object{"event": "begun", "address": request.Address()})
	defer func() { d.emit(object{"event": "ended", "address": request.Address()}) }()
	<-ctx.Done()
	return context.Cause(ctx)
}

func fail(_ context.Context, fruit string) (string, error) {
	return "", ordinary{"no price for " + fruit, errors.New("unknown fruit")}
}

type errand struct {
	Path []string `json:"path"`
	Text string   `json:"text"`
	Mark string   `json:"mark,omitempty"`
}

// relay streams words, from another agent if the path says so.
func relay(ctx context.Context, e errand) iter.Seq2[string, error] {
	if len(e.Path) == 0 {
		return func(yield func(string, error) bool) {
			for _, word := range strings.Fields(e.Text) {
				if !yield(word, nil) {
					return
				}
			}
		}
	}
	return func(yield func(string, error) bool) {
		request, _ := coagent.FromContext(ctx)
		below := errand{e.Path[1:], e.Text, e.Mark}
		words := coagent.StreamAs[string](ctx, request.Client(), e.Path[0], below,
			coagent.WithType(""))
		for word, err := range words {
			if err == nil {
				word = language + ">" + word
			}
			if !yield(word, err) {
				return
			}
		}
	}
}

func slow(ctx context.Context, delayMS int) (any, error) {
	timer := time.NewTimer(time.Duration(delayMS) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
