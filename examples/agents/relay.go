package main

import (
	"context"
	"iter"
	"strings"

	coagent "github.com/coagent/coagent/clients/go"
)

// Errand is what a relay is asked to do.
type Errand struct {
	Text string   `json:"text"`
	Path []string `json:"path,omitempty"`
	// Whole asks for one answer, and not for a stream.
	Whole bool `json:"whole,omitempty"`
}

// Relay passes an errand on to the agents of its path, and streams back what the last one says.
//
//	coagent stream relay.go -d '{"path": ["relay.python"], "text": "there and back"}'
type Relay struct{ client *coagent.Client }

func (r Relay) Run(ctx context.Context, errand Errand) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if len(errand.Path) == 0 {
			for _, word := range strings.Fields(errand.Text) {
				if !yield("go: "+word+" ", nil) {
					return
				}
			}
			return
		}
		next := errand.Path[0]
		errand.Path = errand.Path[1:]
		if errand.Whole {
			answer, err := coagent.CallAs[string](ctx, r.client, next, errand)
			yield("go > "+answer, err)
			return
		}
		for word, err := range coagent.StreamAs[string](ctx, r.client, next, errand) {
			if !yield("go > "+word, err) {
				return
			}
		}
	}
}

func registerRelay(ctx context.Context, client *coagent.Client) error {
	_, err := client.Register(ctx, "relay.go", coagent.StreamFunc(Relay{client}.Run),
		coagent.WithDescription("Passes an errand on, in Go"))
	return err
}
