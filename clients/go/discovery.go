package coagent

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
)

// AgentCard is an agent as discovery shows it; all behind the description only with Detailed.
type AgentCard struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Version     string            `json:"version,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Operations  []OperationCard   `json:"operations,omitempty"`
	Replicas    int               `json:"replicas,omitempty"`
}

// Address is what to call: the name.
func (a AgentCard) Address() string { return a.Name }

// OperationCard is one kind of message an agent handles, with the JSON Schemas of what goes in and
// out; nil where it says nothing of them.
type OperationCard struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Input       json.RawMessage `json:"input,omitempty"`
	Output      json.RawMessage `json:"output,omitempty"`
	Streaming   bool            `json:"streaming,omitempty"`
}

// Change is what a watch tells: all agents at first, and after a reconnect if that is shorter
// (IsSnapshot), then who came or changed, and the names of who went.
type Change struct {
	Revision     int64
	Registered   []AgentCard
	Deregistered []string
	IsSnapshot   bool
}

// DiscoverOption is an option of Discover and Watch.
type DiscoverOption interface{ applyToDiscover(*discoverOptions) }

type discoverOptions struct {
	Namespace    string            `json:"namespace"`
	Recursive    bool              `json:"recursive"`
	Inclusive    bool              `json:"inclusive"`
	Detailed     bool              `json:"detailed"`
	Labels       map[string]string `json:"labels,omitempty"`
	FromRevision *int64            `json:"from_revision,omitempty"`
}

type discoverOption func(*discoverOptions)

func (f discoverOption) applyToDiscover(o *discoverOptions) { f(o) }

func (l LabelsOption) applyToDiscover(o *discoverOptions) { o.Labels = l }

// Recursive finds all agents below the namespace, not only those one segment below.
func Recursive() DiscoverOption {
	return discoverOption(func(o *discoverOptions) { o.Recursive = true })
}

// Inclusive finds the agent of the namespace's own name too.
func Inclusive() DiscoverOption {
	return discoverOption(func(o *discoverOptions) { o.Inclusive = true })
}

// Detailed adds version, labels, operations and the number of replicas.
func Detailed() DiscoverOption {
	return discoverOption(func(o *discoverOptions) { o.Detailed = true })
}

// FromRevision has Watch begin with what changed since a revision, where the sidecar knows that.
func FromRevision(revision int64) DiscoverOption {
	return discoverOption(func(o *discoverOptions) { o.FromRevision = &revision })
}

func discoverQuery(namespace string, options []DiscoverOption) discoverOptions {
	query := discoverOptions{Namespace: namespace}
	for _, option := range options {
		option.applyToDiscover(&query)
	}
	return query
}

// Discover lists the agents of a namespace by name, "" for the top: those one segment below it,
// unless the options say more. With labels, those whose labels have all of them.
func (c *Client) Discover(
	ctx context.Context, namespace string, options ...DiscoverOption,
) ([]AgentCard, error) {
	query := discoverQuery(namespace, options)
	query.FromRevision = nil
	value, err := c.Call(ctx, "discovery", query, WithType("DiscoveryQuery"))
	if err != nil {
		return nil, err
	}
	var reply struct {
		Agents []AgentCard `json:"agents"`
	}
	if err := value.Decode(&reply); err != nil {
		return nil, err
	}
	return reply.Agents, nil
}

// Watch tells what Discover lists, and then every change to it, over reconnects, until the loop is
// left or ctx ends; that, or what ends the client, or that its operator drained it, is the loop's
// last error.
func (c *Client) Watch(
	ctx context.Context, namespace string, options ...DiscoverOption,
) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		query := discoverQuery(namespace, options)
		for {
			err := c.watchOnce(ctx, &query, yield)
			if err == nil {
				return
			}
			if !errors.Is(err, ErrUnavailable) || c.isDrained() {
				yield(Change{}, err)
				return
			}
			if _, err := c.connected(ctx); err != nil {
				if ctx.Err() != nil {
					err = contextError(ctx, "discovery")
				}
				yield(Change{}, err)
				return
			}
		}
	}
}

// watchOnce follows the changes on one connection; nil when the loop was left. Query goes on from
// the last revision: a sidecar that does not know all that came since answers with a snapshot.
func (c *Client) watchOnce(
	ctx context.Context, query *discoverOptions, yield func(Change, error) bool,
) error {
	options := []CallOption{WithType("DiscoveryWatch"), WithoutParent()}
	for message, err := range c.Stream(ctx, "discovery", *query, options...) {
		if err != nil {
			return err
		}
		var told struct {
			Revision     int64       `json:"revision"`
			Agents       []AgentCard `json:"agents"`
			Registered   []AgentCard `json:"registered"`
			Deregistered []string    `json:"deregistered"`
		}
		if err := json.Unmarshal(message.Content, &told); err != nil {
			return message.unfit(err.Error())
		}
		query.FromRevision = &told.Revision
		change := Change{Revision: told.Revision, Registered: told.Registered,
			Deregistered: told.Deregistered, IsSnapshot: message.Type == "DiscoverySnapshot"}
		if change.IsSnapshot {
			change.Registered = told.Agents
		}
		if !yield(change, nil) {
			return nil
		}
	}
	return failure(Unavailable, "connection_lost", "the sidecar ended the watch")
}
