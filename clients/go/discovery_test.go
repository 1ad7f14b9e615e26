package coagent_test

import (
	"context"
	"encoding/json"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
)

func (g got) decoded(t *testing.T) fields {
	t.Helper()
	var decoded fields
	if err := json.Unmarshal(g.content, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

func TestDiscoveryAsksAndLists(t *testing.T) {
	client, p := linked(t)
	discovering := begin(func() ([]coagent.AgentCard, error) {
		return client.Discover(within(t), "billing", coagent.Recursive(), coagent.Inclusive(),
			coagent.Detailed(), coagent.WithLabels(map[string]string{"team": "x"}))
	})
	call := p.next("call")
	equal(t, call.text("to")+" "+call.text("type"), "discovery DiscoveryQuery")
	query := call.decoded(t)
	equal(t, query["namespace"], any("billing"))
	for _, each := range []string{"recursive", "inclusive", "detailed"} {
		equal(t, query[each], any(true))
	}
	equal(t, query["labels"].(map[string]any)["team"], any("x"))
	p.data(call.id(), `{"revision":17,"agents":[{"name":"billing.refunds","description":"Pays back",
		"version":"2","labels":{"team":"x"},"replicas":3,
		"operations":[{"name":"Refund","input":{"type":"string"},"streaming":true}]}]}`,
		fields{"end": true})
	cards := discovering.ok(t)
	equal(t, len(cards), 1)
	card := cards[0]
	equal(t, card.Address()+card.Description, "billing.refundsPays back")
	equal(t, card.Version+card.Labels["team"], "2x")
	equal(t, card.Replicas, 3)
	equal(t, card.Operations[0].Name+string(card.Operations[0].Input), `Refund{"type":"string"}`)
	equal(t, card.Operations[0].Streaming && card.Operations[0].Output == nil, true)
}

func TestAWatchGoesOnOverReconnects(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	changes, leave := make(chan coagent.Change), make(chan struct{})
	watching := begin(func() (int, error) {
		for change, err := range client.Watch(context.Background(), "", coagent.Recursive()) {
			if err != nil {
				return 0, err
			}
			changes <- change
			select {
			case <-leave:
				return 1, nil
			default:
			}
		}
		return 0, nil
	})
	call := p.next("call")
	equal(t, call.text("type"), "DiscoveryWatch")
	equal(t, call.decoded(t)["from_revision"], any(nil))
	p.data(call.id(), `{"revision":5,"agents":[{"name":"a","description":""}]}`,
		fields{"type": "DiscoverySnapshot"})
	snapshot := await(t, changes)
	equal(t, snapshot.IsSnapshot && snapshot.Revision == 5, true)
	equal(t, snapshot.Registered[0].Name, "a")
	p.data(call.id(), `{"revision":6,"registered":[{"name":"b"}],"deregistered":["a"]}`,
		fields{"type": "DiscoveryChange"})
	change := await(t, changes)
	equal(t, change.IsSnapshot, false)
	equal(t, change.Registered[0].Name+change.Deregistered[0], "ba")
	_ = p.socket.Close()
	again := f.welcome()
	call = again.next("call")
	equal(t, call.decoded(t)["from_revision"], any(6.0))
	close(leave)
	again.data(call.id(), `{"revision":7,"registered":[],"deregistered":["b"]}`,
		fields{"type": "DiscoveryChange"})
	equal(t, await(t, changes).Revision, 7)
	equal(t, watching.ok(t), 1)
	equal(t, again.next("cancel").id(), call.id())
}

func TestAWatchEndsWithItsContextOrAnError(t *testing.T) {
	client, p := linked(t)
	watch := func(ctx context.Context, options ...coagent.DiscoverOption) *pending[int] {
		return begin(func() (int, error) {
			for _, err := range client.Watch(ctx, "", options...) {
				if err != nil {
					return 0, err
				}
			}
			return 0, nil
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	watching := watch(ctx, coagent.FromRevision(3))
	equal(t, p.next("call").decoded(t)["from_revision"], any(3.0))
	cancel()
	_, err := watching.wait(t)
	failsWith(t, err, coagent.Cancelled, "cancelled")
	p.next("cancel")

	refused := watch(within(t))
	p.fail(p.next("call").id(), "invalid_argument", "bad_content")
	_, err = refused.wait(t)
	failsWith(t, err, coagent.InvalidArgument, "bad_content")
}
