package coagent

import (
	"math/rand/v2"
	"time"
)

const (
	repeatDelay    = 50 * time.Millisecond
	repeatDelayMax = 2 * time.Second
	// rejoinTime is how long others may take to be back behind a client that has connected again.
	rejoinTime     = 5 * time.Second
	rejoinDelayMax = 500 * time.Millisecond
)

// repetition counts how often something was made again.
type repetition struct {
	attempts int
	rejoins  int // While others were not back yet: these do not count.
}

// after tells whether, and after what time, what failed with this error is to be made again.
func (r *repetition) after(client *Client, err *Error) (time.Duration, bool) {
	if client.options.repeats > 0 && client.rejoins(err) {
		r.rejoins++
		return jittered(min(repeatDelay<<min(r.rejoins-1, 8), rejoinDelayMax)), true
	}
	if !err.Retry || r.attempts >= client.options.repeats {
		return 0, false
	}
	r.attempts++
	delay := jittered(min(repeatDelay<<min(r.attempts-1, 8), repeatDelayMax))
	if after, ok := err.Details["retry_after_ms"].(int64); ok {
		delay = max(delay, time.Duration(after)*time.Millisecond)
	}
	return delay, true
}

func jittered(delay time.Duration) time.Duration {
	return time.Duration(float64(delay) * (0.5 + rand.Float64()))
}

// rejoins tells whether an agent that is not there may still come back: the client has connected
// again a moment ago, and its host has to as well.
func (c *Client) rejoins(err *Error) bool {
	isAway := (err.Code == NotFound && err.Reason == "unknown_agent") ||
		(err.Code == Unavailable && err.Reason == "no_replica")
	if !isAway {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Before(c.rejoinsUntil)
}

// end ends the call with an error of the sidecar's, or makes it again.
func (o *ownCall) end(err *Error) {
	delay, repeats := o.again(err)
	if repeats {
		o.client.later(delay, o.restart)
	} else {
		o.finish(err)
	}
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

// again tells whether, and after what time, the call is made again; its id is forgotten then.
func (o *ownCall) again(err *Error) (time.Duration, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	// With input of its own, messages may have gone that cannot be sent again.
	if o.hasFrames || o.id == 0 || (o.request.hasInput() && !o.isResumed) || o.isLeft ||
		o.ctx.Err() != nil || (o.request.isDelegated && !o.isStarted) {
		return 0, false
	}
	delay, repeats := o.repetition.after(o.client, err)
	deadline := o.request.deadline
	if !repeats || (!deadline.IsZero() && time.Until(deadline) <= delay) {
		return 0, false
	}
	connection, id := o.connection, o.id
	o.id, o.connection = 0, nil
	connection.endID(id)
	return delay, true
}
