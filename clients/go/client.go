package coagent

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// Version is that of this library.
const Version = "0.1.0"

const (
	drainTime = 10 * time.Second
	closeTime = 5 * time.Second
)

// Client is a connection to a sidecar that is made again when it is lost, the verbs of a caller,
// and the agents registered here. All its methods may be used by any number of goroutines.
type Client struct {
	url        string
	options    connectOptions
	hosting    *hosting
	goroutines sync.WaitGroup // All that the client started, but user code.
	background context.Context
	cancel     context.CancelFunc

	mu            sync.Mutex // Guards what follows.
	connection    *connection
	registrations []*Registration
	subscriptions []*Subscription
	changed       chan struct{} // Closed when a connection became welcome or was lost.
	err           *Error        // Why there will be no connection any more.
	isClosed      bool
	watching      bool // The deadlines of open calls are looked at.
	wasWelcome    bool
	rejoinsUntil  time.Time // Until then those it calls may be about to come back.
	timers        map[*time.Timer]struct{}
}

// Connect connects to the sidecar at url (`unix:/path`, `tcp://host:port`; "" is DefaultURL). A
// connection that is lost later is made again by itself, and every agent registered again, until
// Close. Where nobody listens, or the sidecar refuses, the error is an *Error.
func Connect(ctx context.Context, url string, options ...ConnectOption) (*Client, error) {
	c := &Client{
		url:     url,
		options: connectOptions{repeats: 3},
		changed: make(chan struct{}),
		timers:  make(map[*time.Timer]struct{}),
	}
	for _, option := range options {
		option(&c.options)
	}
	if c.url == "" {
		c.url = DefaultURL()
	}
	if c.options.logger == nil {
		c.options.logger = slog.Default()
	}
	c.hosting = newHosting(c)
	c.background, c.cancel = context.WithCancel(context.Background())
	if err := c.connectFirst(ctx); err != nil {
		c.finish(err)
		c.goroutines.Wait()
		return nil, err
	}
	c.goroutines.Add(1)
	go c.keepConnected()
	return c, nil
}

// URL is where the sidecar is.
func (c *Client) URL() string { return c.url }

// Close ends open calls, handlers and sessions, says goodbye and closes. It waits up to 5 s for
// handlers to return: an agent that closes its own client waits that long for itself.
func (c *Client) Close() error {
	c.finish(failure(Unavailable, "connection_lost", "the client was closed"))
	c.mu.Lock()
	connection := c.connection // The last: none is made any more.
	isFirst := !c.isClosed
	c.isClosed = true
	c.mu.Unlock()
	if connection != nil && isFirst {
		connection.close("closed")
	}
	c.hosting.wait(closeTime)
	c.goroutines.Wait()
	return nil
}

// Drain takes no new calls, lets those that are handled here finish until the deadline of ctx (else
// for 10 s), then closes.
func (c *Client) Drain(ctx context.Context) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, drainTime)
		defer cancel()
	}
	c.mu.Lock()
	connection := c.connection
	c.registrations = nil // None is to be made again.
	c.mu.Unlock()
	if connection != nil && connection.ended() == nil {
		deadline, _ := ctx.Deadline()
		connection.goodbye("drain", max(0, time.Until(deadline).Milliseconds()))
		connection.isDraining.Store(true)
		connection.roundTrip(ctx) // Calls that had been sent before are here then.
		c.hosting.drained(ctx)
	}
	return c.Close()
}

// finish is that no connection will come any more.
func (c *Client) finish(err error) {
	known, ok := err.(*Error)
	if !ok {
		known = failure(Unavailable, "connection_lost", "%v", err)
		known.cause = err
	}
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = known
	registrations, subscriptions := c.registrations, slices.Clone(c.subscriptions)
	for timer := range c.timers {
		if timer.Stop() {
			c.goroutines.Done()
		}
	}
	c.timers = nil
	c.change()
	c.mu.Unlock()
	c.cancel()
	c.hosting.finish()
	for _, each := range registrations {
		each.failed(known)
	}
	for _, each := range subscriptions {
		each.end(known)
	}
}

// change wakes whoever waits for the connection. mu is held.
func (c *Client) change() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// ready is the connection, if it takes new calls at this moment.
func (c *Client) ready() *connection {
	c.mu.Lock()
	connection, err := c.connection, c.err
	c.mu.Unlock()
	if err == nil && connection != nil && connection.isReady() && connection.hasSpace() {
		return connection
	}
	return nil
}

// connected waits for a connection that takes new calls.
func (c *Client) connected(ctx context.Context) (*connection, error) {
	return c.connectionThat(ctx, (*connection).isReady)
}

// linked waits for a connection, which may drain.
func (c *Client) linked(ctx context.Context) (*connection, error) {
	return c.connectionThat(ctx, (*connection).isLinked)
}

func (c *Client) connectionThat(
	ctx context.Context, serves func(*connection) bool,
) (*connection, error) {
	for {
		c.mu.Lock()
		connection, err, changed := c.connection, c.err, c.changed
		c.mu.Unlock()
		if err != nil {
			return nil, err
		}
		if connection != nil && serves(connection) {
			return connection, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// greeted is the connection to register and subscribe on at once; else the next one takes it. mu is
// held.
func (c *Client) greeted() *connection {
	if c.connection == nil || c.connection.ended() != nil || c.connection.isDraining.Load() {
		return nil
	}
	return c.connection
}

func (c *Client) contentBytesMax() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.connection == nil {
		return wire.ContentBytesMax
	}
	return c.connection.contentBytesMax.Load()
}

// later runs a function after a time, on a goroutine of its own, unless the client ends before.
func (c *Client) later(after time.Duration, run func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timers == nil {
		c.goroutines.Add(1)
		go func() { defer c.goroutines.Done(); run() }() // It finds that the client has ended.
		return
	}
	var timer *time.Timer
	c.goroutines.Add(1)
	timer = time.AfterFunc(after, func() {
		defer c.goroutines.Done()
		c.mu.Lock()
		delete(c.timers, timer)
		c.mu.Unlock()
		run()
	})
	c.timers[timer] = struct{}{}
}

// watchDeadlines ends calls here whose deadline the sidecar lets pass, looking once a second.
func (c *Client) watchDeadlines() {
	c.mu.Lock()
	isOn := c.watching
	c.watching = true
	c.mu.Unlock()
	if !isOn {
		c.later(time.Second, c.lookAtDeadlines)
	}
}

func (c *Client) lookAtDeadlines() {
	c.mu.Lock()
	c.watching = false
	connection := c.connection
	hasEnded := c.err != nil
	c.mu.Unlock()
	if connection == nil || hasEnded {
		return
	}
	connection.mu.Lock()
	type expiring interface{ expire(now time.Time) bool }
	var calls []expiring
	for _, each := range connection.open {
		if call, ok := each.(expiring); ok {
			calls = append(calls, call)
		}
	}
	connection.mu.Unlock()
	now, hasDeadlines := time.Now(), false
	for _, call := range calls {
		hasDeadlines = call.expire(now) || hasDeadlines
	}
	if hasDeadlines {
		c.watchDeadlines()
	}
}
