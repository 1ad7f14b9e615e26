package coagent

import (
	"context"
	"encoding/json"
	"time"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// WithRun names a call as a run: the sidecar keeps what it answers for a while, for others to
// attach to, and over a lost connection it goes on here, without a message lost or doubled. Asked
// for again, by the same principal with the same message, it is not made anew, but read from its
// beginning. With Detach it goes on when nobody reads it.
//
// What an Exchange sends does not outlive its connection; its reply does. A call that one handled
// here makes, without Detach, ends with it.
func WithRun(run string) CallOption {
	return callOption(func(o *callOptions) { o.run = run })
}

// AttachOption is an option of Attach.
type AttachOption interface{ applyToAttach(*attachOptions) }

type attachOptions struct {
	attachment attachment
	window     int64
}

type attachOption func(*attachOptions)

func (f attachOption) applyToAttach(o *attachOptions) { f(o) }

func (w WindowOption) applyToAttach(o *attachOptions) { o.window = int64(w) }

// From has Attach begin with a frame of the run, counted from 0; a RunCard has the numbers.
func From(frame int64) AttachOption {
	return attachOption(func(o *attachOptions) { o.attachment.From = frame })
}

// Tail has Attach begin with the next message of the run.
func Tail() AttachOption {
	return attachOption(func(o *attachOptions) { o.attachment.Tail = true })
}

// Attach reads a run of this principal, from its beginning unless the options say otherwise, to its
// end. It does not disturb the run, nor who else reads it. Where what is asked for is no longer
// kept, the error is `failed_precondition`/`truncated`, and `first` of its details the oldest frame
// that is.
//
// The context bounds the reading alone, also where it is that of a call handled here. Reading goes
// on over a lost connection; a Tail that has read something ends with it. The reply has to be read
// to its end or closed.
func (c *Client) Attach(
	ctx context.Context, run string, options ...AttachOption,
) (*Reply, error) {
	chosen := attachOptions{attachment: attachment{Run: run}, window: wire.WindowDefault}
	for _, option := range options {
		option.applyToAttach(&chosen)
	}
	if err := ctx.Err(); err != nil {
		return nil, contextError(ctx, "runs")
	}
	request := callRequest{
		address: "runs", run: run, attachment: &chosen.attachment, window: chosen.window,
	}
	if deadline, ok := ctx.Deadline(); ok {
		request.deadline = deadline
	}
	call := newOwnCall(ctx, c, request)
	if err := call.start(); err != nil {
		return nil, err
	}
	if ctx.Done() != nil {
		call.watch()
	}
	return &Reply{call}, nil
}

// RunCard is a run as the sidecar knows it.
type RunCard struct {
	Name       string
	To         string // What was called.
	Type       string
	State      string // `waiting`, `running` or `ended`.
	Frames     int64  // How many there were so far.
	First      int64  // The oldest that is kept and begins a message.
	Bytes      int64  // What it takes to keep them.
	Readers    int
	IsDetached bool
	Age        time.Duration
	Ended      time.Duration // How long ago; 0 while it is open.
	Code       Code          // What it ended with; "" if that is no error.
	Principal  string        // `uid 1000` or `token ci`.
}

// UnmarshalJSON reads what the sidecar says of a run.
func (r *RunCard) UnmarshalJSON(content []byte) error {
	var told struct {
		Run       string `json:"run"`
		To        string `json:"to"`
		Type      string `json:"type"`
		State     string `json:"state"`
		Frames    int64  `json:"frames"`
		First     int64  `json:"first"`
		Bytes     int64  `json:"bytes"`
		Readers   int    `json:"readers"`
		Detached  bool   `json:"detached"`
		AgeMS     int64  `json:"age_ms"`
		EndedMS   int64  `json:"ended_ms"`
		Code      Code   `json:"code"`
		Principal string `json:"principal"`
	}
	if err := json.Unmarshal(content, &told); err != nil {
		return err
	}
	*r = RunCard{
		told.Run, told.To, told.Type, told.State, told.Frames, told.First, told.Bytes, told.Readers,
		told.Detached, time.Duration(told.AgeMS) * time.Millisecond,
		time.Duration(told.EndedMS) * time.Millisecond, told.Code, told.Principal,
	}
	return nil
}

// RunsOption is an option of Runs.
type RunsOption func(*runsQuery)

type runsQuery struct {
	State string `json:"state,omitempty"`
	After string `json:"after,omitempty"`
}

// InState lists only runs that are `waiting`, `running` or `ended`.
func InState(state string) RunsOption {
	return func(q *runsQuery) { q.State = state }
}

// Runs lists the runs of this principal that are kept, by name; an operator's are all.
func (c *Client) Runs(ctx context.Context, options ...RunsOption) ([]RunCard, error) {
	var query runsQuery
	for _, option := range options {
		option(&query)
	}
	var all []RunCard
	for {
		var page struct {
			Runs []RunCard `json:"runs"`
			More bool      `json:"more"`
		}
		value, err := c.Call(ctx, "runs", query, WithType("RunList"))
		if err == nil {
			err = value.Decode(&page)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, page.Runs...)
		if !page.More || len(page.Runs) == 0 {
			return all, nil
		}
		query.After = page.Runs[len(page.Runs)-1].Name
	}
}

// DescribeRun is what the sidecar knows of one run; `not_found`/`unknown_run` if nothing.
func (c *Client) DescribeRun(ctx context.Context, run string) (RunCard, error) {
	query := map[string]string{"run": run}
	return CallAs[RunCard](ctx, c, "runs", query, WithType("RunDescribe"))
}
