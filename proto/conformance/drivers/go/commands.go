package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

// command is a line of the runner. What is absent is zero, or nil where that makes a difference.
type command struct {
	Do       string  `json:"do"`
	N        int     `json:"n"`
	As       string  `json:"as"`
	Of       string  `json:"of"`
	Client   string  `json:"client"`
	URL      string  `json:"url"`
	Name     string  `json:"name"`
	Token    string  `json:"token"`
	WaitMS   float64 `json:"wait_ms"`
	Command  int     `json:"command"`
	To       string  `json:"to"`
	Body     *value  `json:"body"`
	Under    string  `json:"under"`
	Ack      *bool   `json:"ack"`
	Observe  bool    `json:"observe"`
	Lazy     bool    `json:"lazy"`
	Detach   bool    `json:"detach"`
	Sender   string  `json:"sender"`
	Trace    string  `json:"trace"`
	Ext      object  `json:"ext"`
	Window   *int    `json:"window"`
	Topic    string  `json:"topic"`
	Source   string  `json:"source"`
	Call     string  `json:"call"`
	Part     bool    `json:"part"`
	Code     string  `json:"code"`
	Reason   string  `json:"reason"`
	Message  string  `json:"message"`
	Cause    *string `json:"cause"`
	Details  object  `json:"details"`
	Hex      string  `json:"hex"`
	Split    any     `json:"split"`
	Agent    string  `json:"agent"`
	Stubborn bool    `json:"stubborn"`

	Run        string `json:"run"`
	Interrupts string `json:"interrupts"`
	HookFails  string `json:"hook_fails"`
	Signals    any    `json:"signals"`
	Unordered  bool   `json:"unordered"`
	Collect    string `json:"collect"`
	From       int64  `json:"from"`
	Tail       bool   `json:"tail"`
	State      string `json:"state"`

	TimeoutMS *float64 `json:"timeout_ms"`

	Namespace    string            `json:"namespace"`
	Recursive    bool              `json:"recursive"`
	Inclusive    bool              `json:"inclusive"`
	Detailed     bool              `json:"detailed"`
	Labels       map[string]string `json:"labels"`
	FromRevision *int64            `json:"from_revision"`

	Description        string   `json:"description"`
	Version            string   `json:"version"`
	Concurrency        int      `json:"concurrency"`
	SessionConcurrency int      `json:"session_concurrency"`
	IdleMS             *float64 `json:"idle_ms"`
	Exclusive          bool     `json:"exclusive"`
	Topics             []string `json:"topics"`
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// perform does a command.
func (d *driver) perform(ctx context.Context, begin func(), c command) (object, error) {
	own := begunContext{ctx, begin}
	switch c.Do {
	case "connect":
		return nil, d.connect(own, c)
	case "close", "drain", "unregister":
		begin()
		return nil, d.close(ctx, c)
	case "cancel":
		if c.Client != "" {
			return nil, d.signal(ctx, begin, c)
		}
		return nil, d.cancel(c)
	case "signal", "interrupt", "pause", "resume":
		return nil, d.signal(ctx, begin, c)
	case "register":
		return nil, d.register(own, c)
	case "call", "stream", "open", "send":
		return d.calling(ctx, begin, c)
	case "next", "next_part", "rest", "leave", "put", "finish":
		return d.reading(own, c)
	case "publish":
		return nil, d.publish(ctx, begin, c)
	case "subscribe":
		return nil, d.subscribe(own, c)
	case "attach":
		return nil, d.attach(begin, c)
	case "runs":
		return d.runs(own, c)
	case "discover", "watch":
		return d.discovering(own, c)
	case "delegate":
		return nil, d.delegate(own, c)
	case "reply", "input", "answer", "fail", "fail_at", "forward", "splice", "hand_off":
		return d.scripted(own, c)
	case "decode":
		return decode(c)
	}
	return nil, unsupported(fmt.Sprintf("no command %q", c.Do))
}

func (d *driver) connect(ctx context.Context, c command) error {
	client, err := coagent.Connect(ctx, c.URL, coagent.WithName(c.Name), coagent.WithToken(c.Token),
		coagent.WithWait(milliseconds(c.WaitMS)))
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clients[c.As] = client
	return nil
}

// client is the one that a command names.
func (d *driver) client(name string) (*coagent.Client, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if client := d.clients[name]; client != nil {
		return client, nil
	}
	return nil, fmt.Errorf("no client %q", name)
}

// close closes or drains a client, or withdraws a registration.
func (d *driver) close(ctx context.Context, c command) error {
	if c.Do == "unregister" {
		d.mu.Lock()
		registration := d.registrations[c.Of]
		delete(d.registrations, c.Of)
		d.mu.Unlock()
		if registration == nil {
			return fmt.Errorf("no registration %q", c.Of)
		}
		return registration.Close()
	}
	client, err := d.client(c.Client)
	if err != nil {
		return err
	}
	if c.Do == "close" {
		d.mu.Lock()
		delete(d.clients, c.Client)
		d.mu.Unlock()
		return client.Close()
	}
	if c.TimeoutMS != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, milliseconds(*c.TimeoutMS))
		defer cancel()
	}
	return client.Drain(ctx)
}

func (d *driver) cancel(c command) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if cancel := d.running[c.Command]; cancel != nil {
		cancel()
	}
	return nil
}

func (d *driver) register(ctx context.Context, c command) error {
	client, err := d.client(c.Client)
	if err != nil {
		return err
	}
	agent := d.agent(c)
	if agent == nil {
		return unsupported(fmt.Sprintf("no agent %q", c.Agent))
	}
	options := []coagent.RegisterOption{
		coagent.WithDescription(c.Description), coagent.WithVersion(c.Version),
		coagent.WithLabels(c.Labels), coagent.WithConcurrency(c.Concurrency),
		coagent.WithSessionConcurrency(c.SessionConcurrency), coagent.WithTopics(c.Topics...),
	}
	if c.IdleMS != nil {
		options = append(options, coagent.WithIdle(milliseconds(*c.IdleMS)))
	}
	if c.Exclusive {
		options = append(options, coagent.Exclusive())
	}
	registration, err := client.Register(ctx, c.Name, agent, append(options, d.hooks(c)...)...)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.registrations[c.As] = registration
	return nil
}

// discovering does `discover` and `watch`.
func (d *driver) discovering(ctx context.Context, c command) (object, error) {
	client, err := d.client(c.Client)
	if err != nil {
		return nil, err
	}
	options := []coagent.DiscoverOption{coagent.WithLabels(c.Labels)}
	if c.Recursive {
		options = append(options, coagent.Recursive())
	}
	if c.Inclusive {
		options = append(options, coagent.Inclusive())
	}
	if c.Detailed {
		options = append(options, coagent.Detailed())
	}
	if c.Do == "watch" {
		if c.FromRevision != nil {
			options = append(options, coagent.FromRevision(*c.FromRevision))
		}
		d.keep(c.As, newFollowing(client, c.Namespace, options))
		return nil, nil
	}
	cards, err := client.Discover(ctx, c.Namespace, options...)
	if err != nil {
		return nil, err
	}
	told := make([]object, len(cards))
	for i, card := range cards {
		told[i] = object{"name": card.Name, "description": card.Description}
		if c.Detailed {
			told[i]["version"], told[i]["labels"] = card.Version, orEmpty(card.Labels)
			told[i]["operations"], told[i]["replicas"] = operationsJSON(card), card.Replicas
		}
	}
	return object{"agents": told}, nil
}

func orEmpty(labels map[string]string) map[string]string {
	if labels == nil {
		return map[string]string{}
	}
	return labels
}

func operationsJSON(card coagent.AgentCard) []object {
	told := make([]object, len(card.Operations))
	for i, each := range card.Operations {
		told[i] = object{"name": each.Name, "streaming": each.Streaming}
		if each.Description != "" {
			told[i]["description"] = each.Description
		}
		if each.Input != nil {
			told[i]["input"] = each.Input
		}
		if each.Output != nil {
			told[i]["output"] = each.Output
		}
	}
	return told
}

// errorJSON is an error, with the texts of its causes.
func errorJSON(failed *coagent.Error) object {
	told := object{"code": failed.Code, "reason": failed.Reason, "message": failed.Message}
	if failed.Retry {
		told["retry"] = true
	}
	if len(failed.Details) > 0 {
		told["details"] = failed.Details
	}
	var causes []string
	for cause := failed.Unwrap(); cause != nil; cause = errors.Unwrap(cause) {
		causes = append(causes, cause.Error())
	}
	if causes != nil {
		told["causes"] = causes
	}
	return told
}
