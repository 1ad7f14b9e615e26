package main

import (
	"context"

	coagent "github.com/coagent/coagent/clients/go"
)

// attach does the command of that name; what it reads outlives the command.
func (d *driver) attach(begin func(), c command) error {
	client, err := d.client(c.Client)
	if err != nil {
		return err
	}
	options := []coagent.AttachOption{coagent.From(c.From)}
	if c.Tail {
		options = append(options, coagent.Tail())
	}
	if c.Window != nil {
		options = append(options, coagent.WithWindow(*c.Window))
	}
	lasting, cancel := context.Background(), func() {}
	if c.TimeoutMS != nil {
		lasting, cancel = context.WithTimeout(lasting, milliseconds(*c.TimeoutMS))
	}
	reply, err := client.Attach(begunContext{lasting, begin}, c.Run, options...)
	if err != nil {
		cancel()
		return err
	}
	d.keep(c.As, &reading{reply: reply, cancel: cancel})
	return nil
}

func (d *driver) runs(ctx context.Context, c command) (object, error) {
	client, err := d.client(c.Client)
	if err != nil {
		return nil, err
	}
	cards, err := client.Runs(ctx, coagent.InState(c.State))
	if err != nil {
		return nil, err
	}
	told := make([]object, len(cards))
	for i, card := range cards {
		told[i] = object{"run": card.Name, "to": card.To, "type": card.Type, "state": card.State,
			"frames": card.Frames, "first": card.First, "bytes": card.Bytes,
			"readers": card.Readers, "detached": card.IsDetached, "code": card.Code,
			"age_ms": card.Age.Milliseconds(), "ended_ms": card.Ended.Milliseconds()}
	}
	return object{"runs": told}, nil
}
