package coagent

import (
	"context"
	"sync"
	"time"
)

// callContext is a context of an agent's function. It ends when the sidecar says so, at the
// deadline too: an agent that gave up by a clock of its own might do so before its caller's time is
// over. Its cause is an *Error, or *Interrupted.
//
// Each call has two: the one its function gets, which an interrupt ends, and one that only the end
// of the call does.
type callContext struct {
	call     *hostedCall
	deadline time.Time // Zero without one.

	mu          sync.Mutex    // Guards what follows.
	done        chan struct{} // Nil until somebody asks.
	err         error
	cause       error
	inner       context.Context // Ends with it, and knows the cause; nil until somebody asks.
	cancelInner context.CancelCauseFunc
}

type requestKey struct{}

// closedDone is of the contexts that ended before anybody asked.
var closedDone = func() chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}()

// deadlineAfter is when a call's time is over; zero where it has none.
func deadlineAfter(timeoutMS int64) time.Time {
	if timeoutMS <= 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(min(timeoutMS, int64(1e12))) * time.Millisecond)
}

// end ends the context; only the first time counts.
func (c *callContext) end(err, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err, c.cause = err, cause
	if c.done == nil {
		c.done = closedDone
	} else {
		close(c.done)
	}
	if c.inner != nil {
		c.cancelInner(cause)
	}
}

// known is a context of package context's own that ends with this one.
func (c *callContext) known() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner == nil {
		c.inner, c.cancelInner = context.WithCancelCause(context.Background())
		if c.err != nil {
			c.cancelInner(c.cause)
		}
	}
	return c.inner
}

func (c *callContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

func (c *callContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
	}
	return c.done
}

func (c *callContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *callContext) Value(key any) any {
	if _, ok := key.(requestKey); ok {
		return &c.call.request
	}
	return c.known().Value(key)
}

// AfterFunc lets package context follow the end without a goroutine for each derived context.
func (c *callContext) AfterFunc(f func()) func() bool { return context.AfterFunc(c.known(), f) }
