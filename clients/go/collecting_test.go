package coagent_test

import (
	"testing"

	coagent "github.com/coagent/coagent/clients/go"
)

func TestACallerSaysWhatItMakesOfSeveralMessages(t *testing.T) {
	binary := fields{"content_type": "application/octet-stream"}
	for _, each := range []struct {
		collect coagent.CallOption
		kinds   []fields
		message string
		decoded string
	}{
		{coagent.CollectJoin, []fields{asText, asText}, "01", "text/plain"},
		{coagent.CollectJoin, []fields{binary, binary}, "01", "application/octet-stream"},
		{coagent.CollectJoin, []fields{asText, {}}, "", ""},
		{coagent.CollectJoin, []fields{{}}, "", ""},
		{coagent.CollectJoin, nil, "", "text/plain"},
		{coagent.CollectList, []fields{asText, {}}, `["0",1]`, "application/json"},
		{coagent.CollectList, []fields{{}}, `[0]`, "application/json"},
		{coagent.CollectList, nil, `[]`, "application/json"},
		{coagent.CollectLast, []fields{{}, asText}, "1", "text/plain"},
		{coagent.CollectLast, nil, "", "application/json"},
	} {
		client, p := linked(t)
		calling := begin(func() (*coagent.Value, error) {
			return client.Call(within(t), "a", nil, each.collect)
		})
		id := p.next("call").id()
		for n, kind := range each.kinds {
			p.data(id, string(rune('0'+n)), kind)
		}
		p.data(id, "", fields{"end": true})
		value, err := calling.wait(t)
		if each.decoded == "" {
			failsWith(t, err, coagent.InvalidArgument, "bad_content")
			continue
		}
		message := must(must(value, err)(t).Message())(t)
		equal(t, string(message.Content), each.message)
		equal(t, message.ContentType, each.decoded)
	}
}

func TestAReplyIsCollectedLikewise(t *testing.T) {
	client, p := linked(t)
	reply := must(client.Start(within(t), "a", nil))(t)
	id := p.next("call").id()
	p.data(id, "1")
	p.data(id, "2", fields{"end": true})
	value := must(reply.Value(within(t), coagent.CollectLast))(t)
	var last int
	if err := value.Decode(&last); err != nil {
		t.Fatal(err)
	}
	equal(t, last, 2)
}
