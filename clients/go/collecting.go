package coagent

import (
	"slices"
	"strings"
)

// Collect says what Call, and Reply.Value, make of several messages. Without one of them: several
// texts joined, others a list, one itself.
type Collect uint8

const (
	collectAsTheyAre Collect = iota
	// CollectJoin joins texts, or bytes; anything else is `invalid_argument`/`bad_content`.
	CollectJoin
	// CollectList is a list always, of one and of none too.
	CollectList
	// CollectLast is the last alone.
	CollectLast
)

func (c Collect) applyToCall(o *callOptions) { o.collect = c }

// add puts a message behind the others.
func (v *Value) add(message *Message) {
	if v.collect == CollectLast {
		v.Messages = v.Messages[:0]
	}
	v.Messages = append(v.Messages, message)
}

// collected is the value once all messages are there.
func (v *Value) collected() (*Value, error) {
	if v.collect != CollectJoin {
		return v, nil
	}
	isOther := func(message *Message) bool { return message.ContentType != Bytes }
	isNoText := func(message *Message) bool { return !message.IsText() }
	if slices.ContainsFunc(v.Messages, isOther) && slices.ContainsFunc(v.Messages, isNoText) {
		return nil, failure(InvalidArgument, "bad_content", "%s cannot be joined", v.kinds())
	}
	return v, nil
}

// kinds names the content types of the messages.
func (v *Value) kinds() string {
	var kinds []string
	for _, message := range v.Messages {
		if !slices.Contains(kinds, message.ContentType) {
			kinds = append(kinds, message.ContentType)
		}
	}
	return strings.Join(kinds, " and ")
}
