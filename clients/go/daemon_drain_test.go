package coagent_test

import (
	"context"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
	"github.com/coagent/coagent/clients/go/coagenttest"
)

func TestAHostThatItsOperatorDrainsFinishesAndServesNoMore(t *testing.T) {
	client, ctx := withDaemon(t)
	leaving := coagenttest.Connect(t, client.URL(), quiet(), coagent.WithName("leaving"))
	leave, begun := make(chan struct{}), make(chan struct{})
	register(t, leaving, "work", coagent.Func(func(context.Context, struct{}) (string, error) {
		close(begun)
		<-leave
		return "the old one", nil
	}))
	serving := begin(func() (any, error) { return nil, leaving.Serve(ctx) })
	first := must(client.Start(ctx, "work", nil))(t)
	await(t, begun)
	listed := must(coagent.CallAs[struct {
		Connections []struct {
			Connection string `json:"connection"`
			Name       string `json:"name"`
		} `json:"connections"`
	}](ctx, client, "sys.connections", nil, coagent.WithType("ConnectionList")))(t)
	drained := false
	for _, each := range listed.Connections {
		if each.Name == "leaving" {
			must(client.Call(ctx, "sys.connections", fields{"connection": each.Connection},
				coagent.WithType("ConnectionDrain")))(t)
			drained = true
		}
	}
	equal(t, drained, true)
	register(t, client, "work", coagent.Func(func(context.Context, struct{}) (string, error) {
		return "the new one", nil
	}))
	equal(t, must(client.Call(ctx, "work", nil))(t).Text(), "the new one")
	close(leave)
	equal(t, next(t, first), "the old one")
	serving.ok(t)
}
