package coagent

import (
	"math/rand/v2"
	"time"
)

const (
	repeatDelay    = 50 * time.Millisecond
	repeatDelayMax = 2 * time.Second
)

// end ends the call with an error of the sidecar's, or makes it again.
func (o *ownCall) end(err *Error) {
	if delay, ok := o.repeats(err); ok {
		o.mu.Lock()
		connection, id := o.connection, o.id
		o.id, o.connection = 0, nil
		o.attempts++
		o.mu.Unlock()
		connection.endID(id)
		o.client.later(delay, o.restart)
		return
	}
	o.finish(err)
}

// restart makes the call again, unless it was left meanwhile.
func (o *ownCall) restart() {
	o.receiving.mu.Lock()
	hasEnded := o.receiving.hasEnded
	o.receiving.mu.Unlock()
	if hasEnded || o.start() != nil {
		return
	}
	o.receiving.mu.Lock()
	hasEnded = o.receiving.hasEnded
	o.receiving.mu.Unlock()
	if hasEnded { // Left while it was being opened.
		o.forget(nil, true)
	}
}

// repeats tells whether, and after what time, the call is made again.
func (o *ownCall) repeats(err *Error) (time.Duration, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	// With input of its own, messages may have gone that cannot be sent again.
	if !err.Retry || o.attempts >= o.client.options.repeats || o.hasFrames || o.id == 0 ||
		(o.request.hasInput() && !o.isResumed) || o.isLeft || o.ctx.Err() != nil ||
		(o.request.isDelegated && !o.isStarted) {
		return 0, false
	}
	delay := min(repeatDelay<<o.attempts, repeatDelayMax)
	delay = time.Duration(float64(delay) * (0.5 + rand.Float64()))
	if after, ok := err.Details["retry_after_ms"].(int64); ok {
		delay = max(delay, time.Duration(after)*time.Millisecond)
	}
	deadline := o.request.deadline
	return delay, deadline.IsZero() || time.Until(deadline) > delay
}
