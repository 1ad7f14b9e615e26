package coagent

import (
	"context"
	"sync"
	"time"
)

// callContext is the context of an agent's function. It ends when the sidecar says so, at the
// deadline too: an agent that gave up by a clock of its own might do so before its caller's time is
// over. Its cause is an *Error.
type callContext struct {
	call        *hostedCall
	deadline    time.Time // Zero without one.
	done        chan struct{}
	inner       context.Context // Ends with it, and knows the cause.
	cancelInner context.CancelCauseFunc

	mu  sync.Mutex
	err error
}

type requestKey struct{}

func newCallContext(call *hostedCall, timeoutMS int64) *callContext {
	c := &callContext{call: call, done: make(chan struct{})}
	c.inner, c.cancelInner = context.WithCancelCause(context.Background())
	if timeoutMS > 0 {
		c.deadline = time.Now().Add(time.Duration(min(timeoutMS, int64(1e12))) * time.Millisecond)
	}
	return c
}

// end ends the context; only the first time counts.
func (c *callContext) end(err, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		close(c.done)
		c.cancelInner(cause)
	}
}

func (c *callContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

func (c *callContext) Done() <-chan struct{} { return c.done }

func (c *callContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *callContext) Value(key any) any {
	if _, ok := key.(requestKey); ok {
		return &c.call.request
	}
	return c.inner.Value(key)
}

// AfterFunc lets package context follow the end without a goroutine for each derived context.
func (c *callContext) AfterFunc(f func()) func() bool { return context.AfterFunc(c.inner, f) }
