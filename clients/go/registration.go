package coagent

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

const registrationBytesMax = 256 * 1024

// RegisterOption is an option of Register.
type RegisterOption interface{ applyToRegister(*registerOptions) }

type registerOptions struct {
	description        string
	version            string
	labels             map[string]string
	concurrency        int64
	sessionConcurrency int64
	idle               time.Duration
	hasIdle            bool
	isExclusive        bool
	topics             []string
	hooks              signalHooks
	input, output      json.RawMessage
	compile            func(schema json.RawMessage) (Validate, error)
}

type registerOption func(*registerOptions)

func (f registerOption) applyToRegister(o *registerOptions) { f(o) }

func (l LabelsOption) applyToRegister(o *registerOptions) { o.labels = l }

// WithDescription says what the agent does, to people and models that choose among agents.
func WithDescription(description string) RegisterOption {
	return registerOption(func(o *registerOptions) { o.description = description })
}

// WithVersion is the agent's version, as discovery shows it.
func WithVersion(version string) RegisterOption {
	return registerOption(func(o *registerOptions) { o.version = version })
}

// WithConcurrency is how many calls of the agent are open here at a time; 1,000 unless said.
func WithConcurrency(calls int) RegisterOption {
	return registerOption(func(o *registerOptions) { o.concurrency = int64(calls) })
}

// WithSessionConcurrency is how many calls of one session are open at a time; 1 unless said.
func WithSessionConcurrency(calls int) RegisterOption {
	return registerOption(func(o *registerOptions) { o.sessionConcurrency = int64(calls) })
}

// WithIdle is how long a session may be idle until it is closed: 5 minutes unless said, and for
// ever with 0.
func WithIdle(idle time.Duration) RegisterOption {
	return registerOption(func(o *registerOptions) { o.idle, o.hasIdle = idle, true })
}

// Exclusive has the registration refused where there is a host of that name, and others while this
// one is.
func Exclusive() RegisterOption {
	return registerOption(func(o *registerOptions) { o.isExclusive = true })
}

// Registration is an agent registered with the sidecar, for as long as it is. After a reconnect it
// is made again by itself.
type Registration struct {
	client  *Client
	name    string
	agent   *agentSpec
	header  []byte
	content []byte
	topics  []string
	hooks   signalHooks
	turns   hookTurns

	mu          sync.Mutex // Guards what follows.
	connection  *connection
	id          int64
	isWithdrawn bool
	answered    chan struct{} // Closed once the sidecar has answered; made anew for a reconnect.
	isAnswered  bool
	err         *Error
	unanswered  int    // How many answers are missing, its topics' included.
	notFed      *Error // Why a topic does not feed it.
	isEnded     bool
	ended       chan struct{} // Closed once the sidecar, or the connection's end, has ended it.
}

// Register hosts an agent here: see Handler, Func, StreamFunc and Sessions. It returns once calls
// from anywhere reach it; when ctx ends before, it is not registered.
func (c *Client) Register(
	ctx context.Context, name string, agent Agent, options ...RegisterOption,
) (*Registration, error) {
	var chosen registerOptions
	for _, option := range options {
		option.applyToRegister(&chosen)
	}
	r, err := newRegistration(c, name, agent, &chosen)
	if err != nil {
		return nil, err
	}
	if err := c.add(r); err != nil {
		return nil, err
	}
	r.mu.Lock()
	answered := r.answered
	r.mu.Unlock()
	select {
	case <-answered:
	case <-ctx.Done():
		_ = r.Close()
		return nil, contextError(ctx, "")
	}
	r.mu.Lock()
	refused := r.err
	r.mu.Unlock()
	if refused != nil {
		c.forget(r)
		return nil, refused
	}
	return r, nil
}

// RegisterFunc registers a plain function that handles every message: Register of a Handler.
func (c *Client) RegisterFunc(
	ctx context.Context, name string, handle func(context.Context, *Request, *Sender) error,
	options ...RegisterOption,
) (*Registration, error) {
	return c.Register(ctx, name, Handler(handle), options...)
}

func newRegistration(
	c *Client, name string, agent Agent, chosen *registerOptions,
) (*Registration, error) {
	if err := checkAddress(name); err != nil {
		return nil, err
	}
	if strings.Contains(name, ":") {
		return nil, badAddress(name, "an agent's name has no session")
	}
	spec, err := agent.spec(name)
	if err != nil {
		return nil, err
	}
	if err := spec.prepare(chosen); err != nil {
		return nil, err
	}
	content, err := spec.content()
	if err != nil {
		return nil, err
	}
	out := wire.AppendText(nil, wire.Name, name)
	out = wire.AppendText(out, wire.Description, chosen.description)
	out = wire.AppendText(out, wire.Version, chosen.version)
	labels := make(wire.Object, len(chosen.labels))
	for key, value := range chosen.labels {
		labels[key] = value
	}
	if out, err = wire.AppendObject(out, wire.Labels, labels); err != nil {
		return nil, failure(InvalidArgument, "bad_field", "%v", err)
	}
	if chosen.concurrency > 0 {
		out = wire.AppendInteger(out, wire.Concurrency, chosen.concurrency)
	}
	if chosen.sessionConcurrency > 0 {
		out = wire.AppendInteger(out, wire.SessionConcurrency, chosen.sessionConcurrency)
	}
	if chosen.hasIdle {
		out = wire.AppendInteger(out, wire.IdleMS, max(0, chosen.idle.Milliseconds()))
	}
	out = wire.AppendTrue(out, wire.Exclusive, chosen.isExclusive)
	if size := len(out) + len(content); size > registrationBytesMax {
		return nil, failure(InvalidArgument, "too_large",
			"the registration of %s takes %d bytes, %d are the most", name, size, registrationBytesMax)
	}
	return &Registration{
		client: c, name: name, agent: spec, header: out, content: content, topics: chosen.topics,
		hooks:    chosen.hooks,
		answered: make(chan struct{}), ended: make(chan struct{}),
	}, nil
}

// add makes the registration one of the client's, and writes it if there is a connection.
func (c *Client) add(r *Registration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	for _, each := range c.registrations {
		if each.name == r.name {
			return failure(AlreadyExists, "name_registered", "%s is registered here", r.name)
		}
	}
	c.registrations = append(c.registrations, r)
	if connection := c.greeted(); connection != nil {
		r.start(connection)
	}
	return nil
}

// forget has it not be made again after a reconnect.
func (c *Client) forget(r *Registration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.registrations = slices.DeleteFunc(c.registrations, func(each *Registration) bool {
		return each == r
	})
}

// Name is that of the agent.
func (r *Registration) Name() string { return r.name }

// Close withdraws the agent: it takes nothing new, calls in flight finish, its sessions close. It
// returns once the sidecar has taken note.
func (r *Registration) Close() error {
	r.mu.Lock()
	isFirst := !r.isWithdrawn
	r.isWithdrawn = true
	r.mu.Unlock()
	r.client.forget(r)
	r.mu.Lock()
	connection, id := r.connection, r.id
	r.mu.Unlock()
	if id == 0 {
		return nil
	}
	if isFirst {
		connection.writeCancel(id)
	}
	<-r.ended
	return nil
}

// start writes `register`; calls may follow on the connection at once.
func (r *Registration) start(connection *connection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.isWithdrawn {
		return
	}
	r.client.hosting.add(r)
	id, err := connection.openID(r, "register", r.content, func(out []byte) []byte {
		return append(out, r.header...)
	})
	if err == nil {
		r.connection, r.id = connection, id
		err = r.feed(connection)
	}
	if err == nil {
		return
	}
	if known, ok := err.(*Error); ok && known.Code == InvalidArgument {
		r.answer(known)
	}
}

// answer tells whoever waits. mu is held.
func (r *Registration) answer(err *Error) {
	r.err = err
	if !r.isAnswered {
		r.isAnswered = true
		close(r.answered)
	} else if err != nil {
		r.client.options.logger.Warn("coagent: an agent is not registered", "name", r.name,
			"error", err)
	}
}

// failed is that the client has ended for good.
func (r *Registration) failed(err *Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.isAnswered {
		r.answer(err)
	}
}

// Frames

func (r *Registration) onData(*wire.Header, []byte) {}
func (r *Registration) onCredit(int64)              {}
func (r *Registration) onCancel(string)             {}

func (r *Registration) onOK() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fed()
}

func (r *Registration) onError(header *wire.Header) {
	err := errorFrom(header, "")
	r.mu.Lock()
	connection, id := r.connection, r.id
	r.id = 0
	r.client.hosting.remove(r)
	if r.notFed != nil {
		err = r.notFed
	}
	switch {
	case r.isWithdrawn:
		r.end()
	case err.Reason == "draining" && connection.isDraining.Load(): // The next one takes it.
	default:
		r.answer(err)
	}
	r.mu.Unlock()
	connection.endID(id)
}

func (r *Registration) onLost(*Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.id, r.connection = 0, nil
	r.client.hosting.remove(r)
	if r.isWithdrawn {
		r.end()
	}
}

// drained is that the sidecar withdrew what this connection hosted: no answer comes any more.
func (r *Registration) drained(connection *connection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.connection != connection || !r.isAnswered {
		return
	}
	r.id = 0
	if r.isWithdrawn {
		r.end()
	}
}

// end is that the withdrawn registration is no more. mu is held.
func (r *Registration) end() {
	if !r.isEnded {
		r.isEnded = true
		close(r.ended)
	}
}
