package coagent_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	coagent "github.com/coagent/coagent/clients/go"
)

type word string

type point struct{ X, Y int }

func TestMessagesAreDecodedIntoWhatFits(t *testing.T) {
	text := &coagent.Message{Content: []byte("é"), ContentType: coagent.Text}
	number := &coagent.Message{Content: []byte(" 12 "), ContentType: coagent.JSON}
	raw := &coagent.Message{Content: []byte{255}, ContentType: coagent.Bytes}
	half := &coagent.Message{Content: []byte(`{"X":1}`), ContentType: "application/x+json; a=b"}
	none := &coagent.Message{ContentType: coagent.JSON}
	for _, each := range []struct {
		message *coagent.Message
		target  any
		wanted  any
	}{
		{text, new(string), "é"}, {text, new(word), word("é")}, {text, new(any), "é"},
		{text, new([]byte), []byte("é")}, {text, new(coagent.Message), *text},
		{number, new(int), 12}, {number, new(any), 12.0}, {number, new(float32), float32(12)},
		{number, new(json.RawMessage), json.RawMessage(" 12 ")},
		{raw, new([]byte), []byte{255}}, {raw, new(any), []byte{255}},
		{half, new(point), point{X: 1}}, {half, new(map[string]int), map[string]int{"X": 1}},
		{none, new(any), nil}, {none, new(*int), (*int)(nil)}, {none, new(struct{}), struct{}{}},
	} {
		if err := each.message.Decode(each.target); err != nil {
			t.Errorf("%s into %T: %v", each.message.Content, each.target, err)
		}
		found := reflect.ValueOf(each.target).Elem().Interface()
		if !reflect.DeepEqual(found, each.wanted) {
			t.Errorf("%v, wanted %v", found, each.wanted)
		}
	}
	for _, each := range []struct {
		message *coagent.Message
		target  any
	}{
		{text, new(int)}, {text, new(json.RawMessage)}, {number, new(string)}, {raw, new(string)},
		{none, new(int)}, {half, new([]int)},
		{&coagent.Message{Content: []byte{255}, ContentType: coagent.Text}, new(string)},
		{&coagent.Message{Content: []byte("{"), ContentType: coagent.JSON}, new(any)},
	} {
		failsWith(t, each.message.Decode(each.target), coagent.InvalidArgument, "bad_content")
	}
}

func TestTextsOfMessages(t *testing.T) {
	for content, wanted := range map[string]string{`"a\n"`: "a\n", `12`: "12", `{"a":1}`: `{"a":1}`} {
		message := coagent.Message{Content: []byte(content), ContentType: coagent.JSON}
		equal(t, message.Text(), wanted)
	}
}

func TestNewMessagesAreWhatSendMakes(t *testing.T) {
	for _, each := range []struct {
		value  any
		wanted string
	}{
		{point{1, 2}, `{"X":1,"Y":2} application/json point`},
		{time.Unix(0, 0).UTC(), `"1970-01-01T00:00:00Z" application/json `},
		{json.RawMessage("[1]"), `[1] application/json `},
		{struct{ A string }{"<"}, `{"A":"<"} application/json `},
		{word("w"), `w text/plain `},
		{json.Number("12"), `12 application/json `},
		{nil, `null application/json `},
	} {
		message := must(coagent.NewMessage(each.value))(t)
		found := fmt.Sprintf("%s %s %s", message.Content, message.ContentType, message.Type)
		equal(t, found, each.wanted)
	}
	_, err := coagent.NewMessage(json.RawMessage("{"))
	failsWith(t, err, coagent.InvalidArgument, "bad_content")
	_, err = coagent.NewMessage(func() {})
	failsWith(t, err, coagent.InvalidArgument, "bad_content")
}
