package coagent_test

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

func TestARegistrationSaysWhatItIsGiven(t *testing.T) {
	client, p := linked(t)
	registration, register := host(t, client, p, "shop.orders", coagent.Func(upper),
		coagent.WithDescription("Takes \"orders\""), coagent.WithVersion("2"),
		coagent.WithLabels(map[string]string{"team": "x", "a": "b"}), coagent.WithConcurrency(5),
		coagent.WithSessionConcurrency(2), coagent.WithIdle(90*time.Second), coagent.Exclusive())
	p.is(register, fields{"op": "register", "name": "shop.orders", "description": "Takes \"orders\"",
		"version": "2", "labels": fields{"team": "x", "a": "b"}, "concurrency": 5,
		"session_concurrency": 2, "idle_ms": 90_000, "exclusive": true})
	equal(t, registration.Name(), "shop.orders")
	equal(t, string(register.content), `[{"name":"orders","input":{"type":"string"},`+
		`"output":{"type":"string"},"streaming":false}]`)
	_, plain := host(t, client, p, "b", coagent.Handler(echoAll), coagent.WithIdle(0))
	p.is(plain, fields{"op": "register", "name": "b", "idle_ms": 0})
	equal(t, string(plain.content), `[{"name":"b","streaming":true}]`)
}

func TestSchemasAreMadeOfTypes(t *testing.T) {
	type Line struct {
		Item string `json:"item" description:"What is bought"`
	}
	type base struct {
		ID uint `json:"id"`
	}
	type Order struct {
		base
		Lines   []Line         `json:"lines"`
		Gift    *Line          `json:"gift"`
		Note    string         `json:"note,omitempty"`
		Paid    time.Time      `json:"paid"`
		Raw     []byte         `json:"raw"`
		Prices  map[string]any `json:"prices"`
		Ratio   float32        `json:"ratio"`
		Parent  *Order         `json:"parent"`
		Number  int            `json:"number,string"`
		Pair    [2]bool        `json:"pair"`
		Skipped chan int       `json:"-"`
		private int
	}
	client, p := linked(t)
	_, register := host(t, client, p, "a", coagent.Func(
		func(_ context.Context, order Order) (coagent.Message, error) {
			return coagent.Message{}, nil
		}))
	var operations []map[string]any
	if err := json.Unmarshal(register.content, &operations); err != nil {
		t.Fatal(err)
	}
	equal(t, operations[0]["name"], any("Order"))
	input, _ := json.Marshal(operations[0]["input"])
	var told, wanted any
	_ = json.Unmarshal(input, &told)
	err := json.Unmarshal([]byte(`{"title":"Order","type":"object","properties":{
		"id":{"type":"integer","minimum":0},
		"lines":{"type":"array","items":{"$ref":"#/$defs/Line"}},"gift":{"$ref":"#/$defs/Line"},
		"note":{"type":"string"},"paid":{"type":"string","format":"date-time"},
		"raw":{"type":"string","contentEncoding":"base64"},
		"prices":{"type":"object","additionalProperties":{}},"ratio":{"type":"number"},
		"parent":{"$ref":"#"},"number":{"type":"string"},
		"pair":{"type":"array","items":{"type":"boolean"},"minItems":2,"maxItems":2}},
		"required":["id","lines","paid","raw","prices","ratio","number","pair"],
		"$defs":{"Line":{"title":"Line","type":"object","required":["item"],
			"properties":{"item":{"type":"string","description":"What is bought"}}}}}`), &wanted)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(told, wanted) {
		t.Errorf("%s", input)
	}
}

func TestARefusedRegistrationIsAnError(t *testing.T) {
	client, p := linked(t)
	registering := begin(func() (*coagent.Registration, error) {
		return client.Register(within(t), "a", coagent.Func(upper))
	})
	p.fail(p.next("register").id(), "already_exists", "name_registered")
	_, err := registering.wait(t)
	failsWith(t, err, coagent.AlreadyExists, "name_registered")
	host(t, client, p, "a", coagent.Func(upper)) // It may be tried again.
}

func TestWhatCannotBeRegisteredIsRefusedHere(t *testing.T) {
	client, p := linked(t)
	ctx := within(t)
	host(t, client, p, "there", coagent.Func(upper))
	_, err := client.Register(ctx, "there", coagent.Func(upper))
	failsWith(t, err, coagent.AlreadyExists, "name_registered")
	for _, name := range []string{"", "a b", "a:s", ".a", "a.", strings.Repeat("a", 129)} {
		_, err := client.RegisterFunc(ctx, name, echoAll)
		failsWith(t, err, coagent.InvalidArgument, "bad_address")
	}
	long := coagent.WithDescription(strings.Repeat("x", 300_000))
	_, err = client.RegisterFunc(ctx, "a", echoAll, long)
	failsWith(t, err, coagent.InvalidArgument, "too_large")
	_, err = client.RegisterFunc(ctx, "a", echoAll, coagent.WithLabels(map[string]string{"": "x"}))
	failsWith(t, err, coagent.InvalidArgument, "bad_field")
	long = coagent.WithDescription(strings.Repeat("x", 40_000))
	_, err = client.RegisterFunc(ctx, "a", echoAll, long)
	failsWith(t, err, coagent.InvalidArgument, "too_large")
	p.nothing()
}

func TestARegistrationIsWithdrawn(t *testing.T) {
	client, p := linked(t)
	registration, register := host(t, client, p, "a", coagent.Func(upper))
	closing := begin(func() (int, error) { return 0, registration.Close() })
	p.is(p.next("cancel"), fields{"op": "cancel", "id": register.id()})
	p.call("a", "x", asText) // It crossed the cancel.
	equal(t, string(p.next("data").content), "X")
	p.fail(register.id(), "cancelled", "cancelled")
	closing.ok(t)
	equal(t, registration.Close(), nil)
	p.call("a", "x", asText)
	refused := p.next("error")
	equal(t, refused.text("reason"), "unknown_agent")
	equal(t, refused.header["retry"], any(true))
}

func TestARegistrationThatIsNotAwaitedIsWithdrawn(t *testing.T) {
	client, p := linked(t)
	ctx, cancel := context.WithCancel(context.Background())
	registering := begin(func() (*coagent.Registration, error) {
		return client.Register(ctx, "a", coagent.Func(upper))
	})
	id := p.next("register").id()
	cancel()
	equal(t, p.next("cancel").id(), id)
	p.send(fields{"op": "ok", "id": id}, "")
	p.fail(id, "cancelled", "cancelled")
	_, err := registering.wait(t)
	failsWith(t, err, coagent.Cancelled, "cancelled")
}

func TestARegistrationEndsWithItsConnection(t *testing.T) {
	f := newFakeSidecar(t)
	client, p := f.link()
	registration, _ := host(t, client, p, "a", coagent.Func(upper))
	closing := begin(func() (int, error) { return 0, registration.Close() })
	p.next("cancel")
	_ = p.socket.Close()
	closing.ok(t)
	f.welcome().nothing() // It is not made again.
}
