package coagent_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
)

var asText = fields{"content_type": "text/plain"}

// texts reads a stream to its end.
func texts(
	client *coagent.Client, ctx context.Context, options ...coagent.CallOption,
) ([]string, error) {
	var all []string
	for message, err := range client.Stream(ctx, "a", nil, options...) {
		if err != nil {
			return all, err
		}
		all = append(all, message.Text())
	}
	return all, nil
}

func TestMessagesComeAsTheyAreSent(t *testing.T) {
	client, p := linked(t)
	seen := make(chan *coagent.Message)
	reading := begin(func() (int, error) {
		count := 0
		for message, err := range client.Stream(context.Background(), "a", nil) {
			if err != nil {
				return count, err
			}
			count++
			seen <- message
		}
		return count, nil
	})
	call := p.next("call")
	p.is(call, fields{"op": "call", "to": "a"}) // A stream has no time of its own.
	p.data(call.id(), `{"n":1}`, fields{"type": "T", "ext": fields{"k": 1}})
	first := await(t, seen)
	equal(t, first.Type+first.ContentType, "Tapplication/json")
	equal(t, first.Ext["k"], any(int64(1)))
	p.data(call.id(), "", asText)
	second := await(t, seen)
	equal(t, len(second.Content), 0)
	equal(t, second.IsText(), true)
	p.data(call.id(), "3", fields{"end": true})
	await(t, seen)
	equal(t, reading.ok(t), 3)
}

func TestAStreamIsCalledByItsLoop(t *testing.T) {
	client, p := linked(t)
	stream := client.Stream(within(t), "a", nil)
	p.nothing()
	for range 2 {
		reading := begin(func() (int, error) {
			for _, err := range stream {
				return 0, err
			}
			return 0, nil
		})
		p.data(p.next("call").id(), "", fields{"end": true})
		reading.ok(t)
	}
}

func TestLeavingTheLoopCancels(t *testing.T) {
	client, p := linked(t)
	reading := begin(func() (string, error) {
		for message, err := range client.Stream(context.Background(), "a", nil) {
			return message.Text(), err
		}
		return "", nil
	})
	call := p.next("call")
	p.data(call.id(), "one", asText)
	equal(t, reading.ok(t), "one")
	p.is(p.next("cancel"), fields{"op": "cancel", "id": call.id()})
	p.data(call.id(), "two", asText)
	p.fail(call.id(), "cancelled", "cancelled")
	p.nothing()
}

func TestPartsAreOneMessageOrPieces(t *testing.T) {
	client, p := linked(t)
	send := func(id int) {
		p.data(id, "Dri", fields{"type": "Text", "part": true, "content_type": "text/plain"})
		p.data(id, "p\xc3", fields{"part": true})
		p.data(id, "\xa9")
		p.data(id, "half", fields{"part": true, "content_type": "text/plain"})
		p.data(id, "", fields{"end": true})
	}
	reading := begin(func() ([]string, error) { return texts(client, within(t)) })
	send(p.next("call").id())
	equal(t, strings.Join(reading.ok(t), "|"), "Dripé|half")

	reply := must(client.Start(within(t), "a", nil))(t)
	send(p.next("call").id())
	var pieces []string
	for piece, err := range reply.Parts() {
		if err != nil {
			t.Fatal(err)
		}
		pieces = append(pieces, string(piece.Content))
		if len(pieces) < 4 {
			equal(t, piece.Type, "Text")
		}
	}
	equal(t, strings.Join(pieces, "|"), "Dri|p\xc3|\xa9|half")
}

func TestAnErrorAtAPositionIsPassedOver(t *testing.T) {
	client, p := linked(t)
	reply := must(client.Start(within(t), "a", nil))(t)
	id := p.next("call").id()
	p.data(id, "torn", fields{"part": true})
	p.fail(id, "aborted", "odd", fields{"more": true})
	p.data(id, "3")
	p.fail(id, "not_found", "gone")
	var seen []string
	for message, err := range reply.Messages() {
		switch {
		case err == nil:
			seen = append(seen, message.Text())
		case message != nil:
			failsWith(t, err, coagent.Aborted, "odd")
			seen = append(seen, "failed")
		default:
			failsWith(t, err, coagent.NotFound, "gone")
			seen = append(seen, "ended")
		}
	}
	equal(t, strings.Join(seen, " "), "failed 3 ended")
}

func TestAnErrorAtAPositionEndsACall(t *testing.T) {
	client, p := linked(t)
	calling := begin(func() (*value, error) { return client.Call(within(t), "a", nil) })
	id := p.next("call").id()
	p.fail(id, "aborted", "odd", fields{"more": true})
	_, err := calling.wait(t)
	failsWith(t, err, coagent.Aborted, "odd")
	equal(t, p.next("cancel").id(), id)
}

func TestCreditIsGrantedForWhatIsTaken(t *testing.T) {
	client, p := linked(t)
	reply := must(client.Start(within(t), "a", nil, coagent.WithWindow(2000)))(t)
	id := p.next("call").id()
	for range 4 {
		p.data(id, strings.Repeat("x", 244)) // It costs 500.
	}
	p.nothing()
	must(reply.Next(within(t)))(t)
	p.nothing()
	must(reply.Next(within(t)))(t)
	p.is(p.next("credit"), fields{"op": "credit", "id": id, "bytes": 1000})
	must(reply.Next(within(t)))(t)
	p.nothing()
	must(reply.Next(within(t)))(t)
	p.is(p.next("credit"), fields{"op": "credit", "id": id, "bytes": 1000})
	p.fail(id, "aborted", "odd", fields{"more": true})
	p.data(id, "", fields{"end": true})
}

func TestAWindowOfOneGivesOneAtATime(t *testing.T) {
	client, p := linked(t)
	reading := begin(func() ([]string, error) {
		return texts(client, within(t), coagent.WithWindow(1))
	})
	call := p.next("call")
	equal(t, call.header["window"], any(1.0))
	for range 3 {
		p.data(call.id(), "x", asText)
		p.is(p.next("credit"), fields{"op": "credit", "id": call.id(), "bytes": 257})
	}
	p.data(call.id(), "", fields{"end": true})
	equal(t, len(reading.ok(t)), 3)
}

func TestALazyCallStartsWithTheFirstRead(t *testing.T) {
	client, p := linked(t)
	reply := must(client.Start(within(t), "a", nil, coagent.Lazy(), coagent.WithWindow(9)))(t)
	call := p.next("call")
	p.is(call, fields{"op": "call", "to": "a", "window": 0, "lazy": true,
		"timeout_ms": call.header["timeout_ms"]})
	p.nothing()
	reading := begin(func() (*value, error) { return reply.Value(within(t)) })
	p.is(p.next("credit"), fields{"op": "credit", "bytes": 9})
	p.data(call.id(), "1", fields{"end": true})
	equal(t, reading.ok(t).Text(), "1")
}

func TestAReplyEndsWithItsContextWhoeverReads(t *testing.T) {
	client, p := linked(t)
	ctx, cancel := context.WithCancel(context.Background())
	reply := must(client.Start(ctx, "a", nil))(t)
	id := p.next("call").id()
	cancel()
	equal(t, p.next("cancel").id(), id)
	_, err := reply.Next(context.Background())
	failsWith(t, err, coagent.Cancelled, "cancelled")
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	reply.Close()
	p.nothing()
}

func TestClosingAReplyCancelsOnce(t *testing.T) {
	client, p := linked(t)
	reply := must(client.Start(within(t), "a", nil))(t)
	id := p.next("call").id()
	reply.Close()
	reply.Close()
	equal(t, p.next("cancel").id(), id)
	_, err := reply.Next(within(t))
	failsWith(t, err, coagent.Cancelled, "cancelled")
	p.nothing()

	ended := must(client.Start(within(t), "a", nil))(t)
	p.data(p.next("call").id(), "1", fields{"end": true})
	must(ended.Value(within(t)))(t)
	ended.Close()
	p.nothing()
}

func TestWaitingForAMessageMayEndBeforeTheCall(t *testing.T) {
	client, p := linked(t)
	reply := must(client.Start(within(t), "a", nil))(t)
	id := p.next("call").id()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := reply.Next(ctx)
	failsWith(t, err, coagent.Cancelled, "cancelled")
	p.nothing()
	p.data(id, "1", fields{"end": true})
	equal(t, must(reply.Next(within(t)))(t).Text(), "1")
	if _, err := reply.Next(within(t)); err != io.EOF {
		t.Error(err)
	}
}

func TestSeveralReadersShareAReply(t *testing.T) {
	client, p := linked(t)
	reply := must(client.Start(within(t), "a", nil))(t)
	id := p.next("call").id()
	const readers, count = 4, 200
	var mu sync.Mutex
	seen := map[string]int{}
	var reading []*pending[int]
	for range readers {
		reading = append(reading, begin(func() (int, error) {
			for {
				message, err := reply.Next(within(t))
				if err == io.EOF {
					return 0, nil
				}
				if err != nil {
					return 0, err
				}
				mu.Lock()
				seen[message.Text()]++
				mu.Unlock()
			}
		}))
	}
	for n := range count {
		p.data(id, string(rune('a'+n)), asText)
	}
	p.data(id, "", fields{"end": true})
	for _, each := range reading {
		each.ok(t)
	}
	equal(t, len(seen), count)
}

func TestMessagesMayBeLargerThanTheWindow(t *testing.T) {
	client, p := linked(t)
	reading := begin(func() ([]string, error) {
		return texts(client, within(t), coagent.WithWindow(1000))
	})
	id := p.next("call").id()
	piece := strings.Repeat("x", 744)
	p.data(id, piece, fields{"part": true, "content_type": "text/plain"})
	for range 9 {
		equal(t, p.next("credit").header["bytes"], any(1000.0))
		p.data(id, piece, fields{"part": true})
	}
	p.next("credit")
	p.data(id, "", fields{"end": true})
	equal(t, len(reading.ok(t)[0]), 7440)
}
