package coagent_test

import (
	"context"

	coagent "github.com/coagent/coagent/clients/go"
)

// echoAll answers every message of its input.
func echoAll(ctx context.Context, request *coagent.Request, out *coagent.Sender) error {
	for message, err := range request.Messages() {
		if err != nil {
			return err
		}
		if err := out.Send(ctx, message); err != nil {
			return err
		}
	}
	return nil
}
