package main

import (
	"context"
	"iter"
	"strings"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

// words streams the words of a text, one at a time.
//
//	coagent stream words -d '"each word on its own"'
func words(ctx context.Context, text string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, word := range strings.Fields(text) {
			if !yield(word+" ", nil) { // Waits here while the caller does not read.
				return
			}
			select {
			case <-time.After(100 * time.Millisecond): // As if it had to think.
			case <-ctx.Done():
				yield("", ctx.Err())
				return
			}
		}
	}
}

func registerWords(ctx context.Context, client *coagent.Client) error {
	_, err := client.Register(ctx, "words", coagent.StreamFunc(words),
		coagent.WithDescription("Streams the words of a text, one at a time"))
	return err
}
