// Story streaming: replies that come piece by piece, one that is left early, and both directions.
//
//	cd examples && go run ./streaming
package main

import (
	"context"
	"fmt"
	"iter"
	"log"
	"strings"

	coagent "github.com/coagent/coagent/clients/go"
)

// recite answers with a message for each word. It does not go on while the caller grants no credit.
func recite(ctx context.Context, text string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, word := range strings.Fields(text) {
			if !yield(word, nil) {
				return
			}
		}
	}
}

// spell answers with one message in pieces, such as the tokens of a model's answer.
func spell(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
	for _, letter := range request.Text() {
		if err := out.SendPart(ctx, string(letter)); err != nil {
			return err
		}
	}
	return nil
}

var countingEnded = make(chan string, 1)

func count(ctx context.Context, _ struct{}) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for number := 1; yield(number, nil); number++ {
		}
		countingEnded <- "the caller has left"
	}
}

func shout(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
	for word, err := range request.Messages() {
		if err != nil {
			return err
		}
		if err := out.Send(ctx, strings.ToUpper(word.Text())); err != nil {
			return err
		}
	}
	return nil
}

func tell(ctx context.Context) error {
	client, err := coagent.Connect(ctx, "")
	if err != nil {
		return err
	}
	defer client.Close()
	for name, agent := range map[string]coagent.Agent{
		"recite": coagent.StreamFunc(recite),
		"spell":  coagent.Handler(spell),
		"count":  coagent.StreamFunc(count),
		"shout":  coagent.Handler(shout),
	} {
		if _, err := client.Register(ctx, name, agent); err != nil {
			return err
		}
	}
	if err := read(ctx, client); err != nil {
		return err
	}
	return converse(ctx, client)
}

func read(ctx context.Context, client *coagent.Client) error {
	for word, err := range client.Stream(ctx, "recite", "each word by itself") {
		if err != nil {
			return err
		}
		fmt.Println("message:", word.Text())
	}

	spelling, err := client.Start(ctx, "spell", "abc")
	if err != nil {
		return err
	}
	for piece, err := range spelling.Parts() {
		if err != nil {
			return err
		}
		fmt.Println("part:", piece.Text())
	}
	whole, err := client.Call(ctx, "spell", "abc")
	if err != nil {
		return err
	}
	fmt.Println("whole:", whole.Text())

	for number, err := range coagent.StreamAs[int](ctx, client, "count", nil) {
		if err != nil {
			return err
		}
		fmt.Println("number:", number)
		if number == 3 {
			break // Leaving is cancelling, down to the agent.
		}
	}
	fmt.Println("count:", <-countingEnded)
	return nil
}

func converse(ctx context.Context, client *coagent.Client) error {
	exchange, err := client.Open(ctx, "shout", nil)
	if err != nil {
		return err
	}
	defer exchange.Close()
	for _, word := range []string{"hello", "world"} {
		if err := exchange.Send(ctx, word); err != nil {
			return err
		}
		answer, err := exchange.Next(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("%s: %s\n", word, answer.Text())
	}
	return exchange.End(ctx)
}

func main() {
	if err := tell(context.Background()); err != nil {
		log.Fatal(err)
	}
}
