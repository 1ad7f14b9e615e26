package coagent_test

import (
	"encoding/binary"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
)

func TestBytesThatCannotBeTrustedEndTheConnection(t *testing.T) {
	lengths := func(header, content uint32) string {
		return string(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, header), content))
	}
	whole := func(header string) string { return string(frame(header, "")) }
	for reason, raw := range map[string]string{
		"header_length":  lengths(70_000, 0),
		"header_length ": lengths(1, 0),
		"content_length": lengths(20, 1<<31),
		"bad_header":     whole(`{"op":"data","id":1,}`),
		"bad_header ":    whole("{\"op\":\"data\",\"type\":\"\xff\"}"),
		"bad_header  ":   whole(`{"op":"data","op":"data"}`),
		"bad_field":      whole(`{"op":"data","id":1.5}`),
		"bad_field ":     whole(`{"op":"data","id":"1"}`),
		"bad_id":         whole(`{"op":"data","id":99}`),
		"bad_id ":        whole(`{"op":"data"}`),
		"bad_id  ":       whole(`{"op":"call","id":7,"to":"a"}`),
		"bad_id   ":      whole(`{"op":"cancel","id":2}`),
		"bad_id    ":     whole(`{"op":"call","id":2,"to":"a"}`) + whole(`{"op":"call","id":2,"to":"a"}`),
	} {
		f := newFakeSidecar(t)
		client, p := f.link()
		reply := must(client.Start(within(t), "a", nil))(t)
		p.next("call")
		p.write([]byte(raw))
		var said got
		for said.text("op") != "error" || said.id() != 0 {
			var err error
			if said, err = p.read(); err != nil {
				t.Fatalf("%s: %v", reason, err)
			}
		}
		equal(t, said.text("reason"), strings.TrimSpace(reason))
		p.closed()
		_, err := reply.Next(within(t))
		failsWith(t, err, coagent.Unavailable, "connection_lost")
		f.welcome() // It connects again.
	}
}

func TestWhatIsNotKnownIsIgnored(t *testing.T) {
	client, p := linked(t)
	calling := begin(func() (*value, error) { return client.Call(within(t), "a", nil) })
	id := p.next("call").id()
	p.send(`{"op":"later","id":99,"window":"odd"}`, "content")
	p.send(`{"op":"pong"}`, "")
	p.send(`{"op":"welcome","v":1}`, "")
	p.send(`{"op":"hello","v":1}`, "")
	p.send(`{"op":"ok","id":1}`, "")
	p.send(`{"op":"error","code":"unimplemented","reason":"unknown_op"}`, "")
	p.send(fmt.Sprintf(`{"op":"data","id":%d,"later":[{"x":null}],"end":true} `, id), "1")
	equal(t, calling.ok(t).Text(), "1")
}

func TestFramesMayComeInAnyPieces(t *testing.T) {
	client, p := linked(t)
	chance := rand.New(rand.NewSource(7))
	reply := must(client.Start(within(t), "a", nil))(t)
	id := p.next("call").id()
	var raw []byte
	for n := range 200 {
		raw = append(raw, frame(fields{"op": "data", "id": id, "type": fmt.Sprint("T", n)},
			strings.Repeat("x", n))...)
	}
	raw = append(raw, frame(fields{"op": "data", "id": id, "end": true}, "")...)
	for len(raw) > 0 {
		size := min(1+chance.Intn(300), len(raw))
		p.write(raw[:size])
		raw = raw[size:]
	}
	for n := range 200 {
		message := must(reply.Next(within(t)))(t)
		equal(t, message.Type, fmt.Sprint("T", n))
		equal(t, len(message.Content), n)
	}
}

// conversation is one of a caller and of a host; each step writes or reads a frame.
func conversation(p *peer, id int) []func() {
	return []func(){
		func() { p.call("a", "one", asText, fields{"input": true}) },
		func() { p.data(2, "two", asText) },
		func() { p.send(fields{"op": "credit", "id": 2, "bytes": 100}, "") },
		func() { p.send(fields{"op": "ping"}, "") },
		func() { p.data(id, "three", asText, fields{"part": true}) },
		func() { p.send(fields{"op": "close", "id": 4, "to": "a:x", "reason": "idle"}, "") },
		func() { p.data(id, "", fields{"end": true}) },
		func() { p.send(fields{"op": "cancel", "id": 2}, "") },
	}
}

func TestALossAtAnyStepLeavesNothingHanging(t *testing.T) {
	f := newFakeSidecar(t)
	for step := 0; step <= 8; step++ {
		for _, isTorn := range []bool{false, true} {
			client, p := f.link()
			host(t, client, p, "a", coagent.Handler(echoAll))
			calling := begin(func() (*value, error) { return client.Call(within(t), "b", nil) })
			for _, each := range conversation(p, p.next("call").id())[:step] {
				each()
			}
			if isTorn {
				p.write(frame(fields{"op": "data", "id": 1}, "never whole")[:12])
			}
			_ = p.socket.Close()
			if _, err := calling.wait(t); err != nil {
				failsWith(t, err, coagent.Unavailable, "connection_lost")
			}
			again := f.welcome()
			again.registered("a")
			if err := client.Close(); err != nil {
				t.Fatal(err)
			}
			_ = again.socket.Close()
		}
	}
}
