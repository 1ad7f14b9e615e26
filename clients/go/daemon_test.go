package coagent_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
	"github.com/coagent/coagent/clients/go/coagenttest"
)

func shout(_ context.Context, text string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, word := range strings.Fields(text) {
			if !yield(strings.ToUpper(word), nil) {
				return
			}
		}
	}
}

func TestAnAgentIsRegisteredCalledAndStreamed(t *testing.T) {
	ctx := within(t)
	client := coagenttest.Local(t)
	if _, err := client.Register(ctx, "demo.shout", coagent.StreamFunc(shout)); err != nil {
		t.Fatal(err)
	}
	value, err := client.Call(ctx, "demo.shout", "hello world")
	if err != nil || value.Text() != "HELLOWORLD" {
		t.Fatal(value, err)
	}
	var words []string
	for word, err := range coagent.StreamAs[string](ctx, client, "demo.shout", "one two") {
		if err != nil {
			t.Fatal(err)
		}
		words = append(words, word)
	}
	if fmt.Sprint(words) != "[ONE TWO]" {
		t.Error(words)
	}
	_, err = client.Call(ctx, "demo.missing", nil)
	if !errors.Is(err, coagent.ErrNotFound) {
		t.Error(err)
	}
}
