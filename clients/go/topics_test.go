package coagent_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

// subscribed is a subscription that the sidecar took.
func subscribed(
	t *testing.T, client *coagent.Client, p *peer, topic string, options ...coagent.SubscribeOption,
) *coagent.Subscription {
	t.Helper()
	subscribing := begin(func() (*coagent.Subscription, error) {
		return client.Subscribe(within(t), topic, options...)
	})
	p.send(fields{"op": "ok", "id": p.next("subscribe").id()}, "")
	return subscribing.ok(t)
}

func done(run func() error) *pending[bool] {
	return begin(func() (bool, error) { return true, run() })
}

func TestPublishSaysAllThatItIsGiven(t *testing.T) {
	client, p := linked(t)
	publishing := done(func() error {
		return client.Publish(within(t), "orders.new", map[string]int{"total": 12},
			coagent.WithSource("4711"), coagent.WithType("Placed"), coagent.WithTrace("00-1"),
			coagent.WithExt(map[string]any{"k": 1}), coagent.WithSender("shop"),
			coagent.Expires(250*time.Millisecond))
	})
	published := p.next("publish")
	p.is(published, fields{"op": "publish", "topic": "orders.new", "source": "4711",
		"type": "Placed", "trace": "00-1", "ext": fields{"k": 1}, "from": "shop", "timeout_ms": 250})
	equal(t, string(published.content), `{"total":12}`)
	p.send(fields{"op": "ok", "id": published.id()}, "")
	publishing.ok(t)
	if err := client.Publish(within(t), "a", "text", coagent.WithoutAck()); err != nil {
		t.Fatal(err)
	}
	unacked := p.next("publish")
	equal(t, fmt.Sprint(unacked.text("source"), unacked.header["id"]), "default<nil>")
}

func TestARefusedPublishIsAnErrorAndOneThatNobodySawIsMadeAgain(t *testing.T) {
	client, p := linked(t)
	publishing := done(func() error { return client.Publish(within(t), "a..b", 1) })
	p.fail(p.next("publish").id(), "invalid_argument", "bad_topic")
	_, err := publishing.wait(t)
	equal(t, failsWith(t, err, coagent.InvalidArgument, "bad_topic").Address, "a..b")
	publishing = done(func() error { return client.Publish(within(t), "a", 1) })
	p.fail(p.next("publish").id(), "unavailable", "draining", fields{"retry": true})
	p.send(fields{"op": "ok", "id": p.next("publish").id()}, "")
	publishing.ok(t)
}

func TestMessagesSayWhereTheyComeFromUntilTheLoopIsLeft(t *testing.T) {
	client, p := linked(t)
	orders := subscribed(t, client, p, "orders.>")
	equal(t, orders.Topic(), "orders.>")
	p.data(1, `{"a":1}`, fields{"topic": "orders.new", "source": "1", "from": "shop:1", "type": "T",
		"ext": fields{"k": true}, "dropped": 3})
	p.data(1, "paid", fields{"topic": "orders.paid", "source": "2", "content_type": "text/plain"})
	var told []string
	for message, err := range orders.Messages(within(t)) {
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, fmt.Sprint(message.Topic, message.Source, message.Sender, message.Type,
			message.Ext, message.Dropped, string(message.Content)))
		if len(told) == 2 {
			break
		}
	}
	equal(t, told[0], `orders.new1shop:1Tmap[k:true] 3{"a":1}`)
	equal(t, told[1], `orders.paid2map[] 0paid`)
	equal(t, p.next("cancel").id(), 1)
	_, err := orders.Next(within(t))
	equal(t, err, io.EOF)
}

func TestASubscriptionThatIsRefusedOrGivenUpIsAnError(t *testing.T) {
	client, p := linked(t)
	subscribing := begin(func() (*coagent.Subscription, error) {
		return client.Subscribe(within(t), "a..b")
	})
	p.fail(p.next("subscribe").id(), "invalid_argument", "bad_topic")
	_, err := subscribing.wait(t)
	failsWith(t, err, coagent.InvalidArgument, "bad_topic")
	ctx, cancel := context.WithCancel(within(t))
	subscribing = begin(func() (*coagent.Subscription, error) { return client.Subscribe(ctx, "a") })
	id := p.next("subscribe").id()
	cancel()
	_, err = subscribing.wait(t)
	failsWith(t, err, coagent.Cancelled, "cancelled")
	equal(t, p.next("cancel").id(), id)
}

func TestWithAWindowOfOneTheNextIsAskedForWhenItIsWanted(t *testing.T) {
	client, p := linked(t)
	price := subscribed(t, client, p, "price", coagent.WithWindow(1))
	p.data(1, "1", fields{"topic": "price", "source": "s"})
	must(price.Next(within(t)))(t)
	p.nothing()
	asking := begin(func() (*coagent.TopicMessage, error) { return price.Next(within(t)) })
	p.is(p.next("credit"), fields{"op": "credit", "id": 1, "bytes": 257})
	p.data(1, "9", fields{"topic": "price", "source": "s", "dropped": 7})
	equal(t, asking.ok(t).Dropped, 7)
}

func TestSubscriptionsOfBothKindsGoOnOverALostConnection(t *testing.T) {
	sidecar := newFakeSidecar(t)
	client, p := sidecar.link(quiet())
	reading := subscribed(t, client, p, "t.*", coagent.WithWindow(1))
	heard := make(chan string, 1)
	registering := begin(func() (*coagent.Registration, error) {
		return client.RegisterFunc(within(t), "room",
			func(ctx context.Context, request *coagent.Request, _ *coagent.Sender) error {
				heard <- fmt.Sprintln(request.Topic(), request.Source(), request.Session(),
					request.IsSend(), request.Text())
				return client.Publish(ctx, "heard", 1, coagent.WithoutAck())
			}, coagent.WithTopics("chat.>"))
	})
	p.send(fields{"op": "ok", "id": p.next("register").id()}, "")
	feed := p.next("subscribe")
	p.is(feed, fields{"op": "subscribe", "topic": "chat.>", "agent": "room"})
	p.send(fields{"op": "ok", "id": feed.id()}, "")
	registering.ok(t)
	_ = p.socket.Close()
	p = sidecar.welcome()
	p.send(fields{"op": "ok", "id": p.next("register").id()}, "")
	for range 2 {
		again := p.next("subscribe")
		p.send(fields{"op": "ok", "id": again.id()}, "")
		if again.text("topic") == "t.*" {
			p.data(again.id(), "2", fields{"topic": "t.a", "source": "s"})
		}
	}
	equal(t, must(reading.Next(within(t)))(t).Text(), "2")
	id := p.call("room:r1", "hi", fields{"content_type": "text/plain", "oneway": true,
		"topic": "chat.said", "source": "r1"})
	equal(t, await(t, heard), "chat.said r1 r1 true hi\n")
	equal(t, p.next("publish").header["parent"], any(float64(id)))
	asking := begin(func() (*coagent.TopicMessage, error) { return reading.Next(within(t)) })
	_ = client.Close()
	_, err := asking.wait(t)
	failsWith(t, err, coagent.Unavailable, "connection_lost")
}

func TestAnAgentThatATopicDoesNotFeedIsWithdrawn(t *testing.T) {
	client, p := linked(t)
	registering := begin(func() (*coagent.Registration, error) {
		return client.Register(within(t), "room", coagent.Func(upper), coagent.WithTopics("a..b"))
	})
	p.send(fields{"op": "ok", "id": p.next("register").id()}, "")
	p.fail(p.next("subscribe").id(), "invalid_argument", "bad_topic")
	equal(t, p.next("cancel").id(), 1)
	p.fail(1, "cancelled", "cancelled")
	_, err := registering.wait(t)
	failsWith(t, err, coagent.InvalidArgument, "bad_topic")
}

type room struct{ said []string }

func (r *room) hear(ctx context.Context, text string) (*coagent.Message, error) {
	r.said = append(r.said, text)
	request, _ := coagent.FromContext(ctx)
	return nil, request.Client().Publish(ctx, "chat.heard", fmt.Sprint(r.said),
		coagent.WithSource(request.Source()))
}

func TestARealSidecarHandsMessagesOutInOrderOnceBySession(t *testing.T) {
	client, ctx := withDaemon(t)
	all := must(client.Subscribe(ctx, "chat.>"))(t)
	rooms := coagent.Sessions(
		func(context.Context) (*room, error) { return &room{}, nil },
		coagent.Operation("hear", (*room).hear))
	must(client.Register(ctx, "room", rooms, coagent.WithTopics("chat.said", "chat.*")))(t)
	for _, said := range [][2]string{{"ann", "1"}, {"bob", "2"}, {"ann", "3"}} {
		err := client.Publish(ctx, "chat.said", said[1], coagent.WithSource(said[0]),
			coagent.WithType("hear"))
		if err != nil {
			t.Fatal(err)
		}
	}
	heard := map[string]string{}
	for range 6 {
		message := must(all.Next(ctx))(t)
		if message.Topic == "chat.heard" {
			equal(t, message.Sender, "room:"+message.Source)
			heard[message.Source] += message.Text()
		}
	}
	equal(t, fmt.Sprint(heard), "map[ann:[1][1 3] bob:[2]]")
	_ = all.Close()
}
