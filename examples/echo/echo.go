// Story echo: an agent, calls to it, their answers, and what goes wrong.
//
//	cd examples && go run ./echo
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	coagent "github.com/coagent/coagent/clients/go"
)

type Person struct {
	Name string `json:"name"`
	Born int    `json:"born"`
}

func echo(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
	message, err := request.Message()
	if err != nil {
		return err
	}
	if len(message.Content) == 0 {
		return coagent.Errorf(coagent.InvalidArgument, "nothing_said", "say something")
	}
	return out.Send(ctx, message)
}

func tell(ctx context.Context) error {
	client, err := coagent.Connect(ctx, "")
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.RegisterFunc(ctx, "echo", echo,
		coagent.WithDescription("Answers what it is told"))
	if err != nil {
		return err
	}

	// Text stays text, JSON stays JSON, bytes stay bytes.
	text, err := client.Call(ctx, "echo", "good morning")
	if err != nil {
		return err
	}
	fmt.Println("text:", text.Text())
	person, err := coagent.CallAs[Person](ctx, client, "echo", Person{"Ada", 1815})
	if err != nil {
		return err
	}
	fmt.Printf("json: %s, born %d\n", person.Name, person.Born)
	bytes, err := client.Call(ctx, "echo", []byte{0xc0, 0xff, 0xee})
	if err != nil {
		return err
	}
	fmt.Printf("bytes: %x\n", bytes.Bytes())

	// An agent's error is returned here with the code that it chose; so are the sidecar's own.
	for _, address := range []string{"echo", "nobody"} {
		_, err := client.Call(ctx, address, "")
		var failed *coagent.Error
		if !errors.As(err, &failed) {
			return fmt.Errorf("%s did not fail: %w", address, err)
		}
		fmt.Printf("%s: %s/%s\n", address, failed.Code, failed.Reason)
	}
	return nil
}

func main() {
	if err := tell(context.Background()); err != nil {
		log.Fatal(err)
	}
}
