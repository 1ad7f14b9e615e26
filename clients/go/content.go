package coagent

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"unicode/utf8"
)

// The content types that the client itself gives.
const (
	JSON  = "application/json"
	Text  = "text/plain"
	Bytes = "application/octet-stream"
)

// Message is one message of a call or a reply: its content and what the header says of it.
//
// It may be sent in place of a value, to say all of that.
type Message struct {
	Content     []byte
	ContentType string         // JSON, Text, Bytes, or any other.
	Type        string         // The name of its kind, such as `ChatMessage`, or "".
	Ext         map[string]any // Strings, booleans and integers (int64 where they arrive).
	// Err is an error at a position of a stream, which goes on behind it. There is no content.
	Err error
}

// NewMessage is the message that carries a value, as Send makes it: a string as text, a []byte as
// it is, anything else as JSON, and a named struct under its type's name.
func NewMessage(value any) (*Message, error) {
	message, err := encode(value)
	if err != nil {
		return nil, err
	}
	return &message, nil
}

// IsText tells whether the content is text of any kind.
func (m *Message) IsText() bool { return strings.HasPrefix(m.ContentType, "text/") }

// IsJSON tells whether the content is JSON of any kind.
func (m *Message) IsJSON() bool {
	kind, _, _ := strings.Cut(m.ContentType, ";")
	kind = strings.TrimRight(kind, " ")
	return kind == "" || strings.HasSuffix(kind, "/json") || strings.HasSuffix(kind, "+json")
}

// Text is the content as a string: that of a text, the string that JSON holds, else as it is.
func (m *Message) Text() string {
	var text string
	if m.IsJSON() && json.Unmarshal(m.Content, &text) == nil {
		return text
	}
	return string(m.Content)
}

// Decode reads the content into what value points to: text into a string, JSON as encoding/json
// has it, anything into a []byte, a Message or an any. What does not fit is an *Error,
// `invalid_argument`/`bad_content`.
func (m *Message) Decode(value any) error {
	switch target := value.(type) {
	case *Message:
		*target = *m
		return nil
	case *[]byte:
		*target = m.Content
		return nil
	case *json.RawMessage:
		if !m.IsJSON() || (len(m.Content) > 0 && !json.Valid(m.Content)) {
			return m.unfit("is not JSON")
		}
		*target = m.Content
		return nil
	case *any:
		decoded, err := m.any()
		*target = decoded
		return err
	}
	if m.IsText() {
		if !utf8.Valid(m.Content) {
			return m.unfit("is not UTF-8")
		}
		if target := reflect.ValueOf(value); target.Kind() == reflect.Pointer && !target.IsNil() &&
			target.Elem().Kind() == reflect.String {
			target.Elem().SetString(string(m.Content))
			return nil
		}
		return m.unfit("is text, not " + reflect.TypeOf(value).Elem().String())
	}
	if !m.IsJSON() {
		return m.unfit("is not JSON")
	}
	return m.decodeJSON(value)
}

func (m *Message) decodeJSON(value any) error {
	content := bytes.TrimLeft(m.Content, " \t\r\n")
	if len(content) == 0 {
		content = []byte("null")
	}
	if content[0] == 'n' && !takesNull(reflect.TypeOf(value).Elem()) {
		return m.unfit("is null, not " + reflect.TypeOf(value).Elem().String())
	}
	if err := json.Unmarshal(content, value); err != nil {
		return m.unfit(strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// any is a value of any kind: what encoding/json makes of JSON, a string, a []byte.
func (m *Message) any() (any, error) {
	switch {
	case m.IsText():
		if !utf8.Valid(m.Content) {
			return nil, m.unfit("is not UTF-8")
		}
		return string(m.Content), nil
	case !m.IsJSON():
		return m.Content, nil
	case len(m.Content) == 0:
		return nil, nil
	}
	var value any
	if err := json.Unmarshal(m.Content, &value); err != nil {
		return nil, m.unfit(err.Error())
	}
	return value, nil
}

func (m *Message) unfit(why string) *Error {
	kind := m.ContentType
	if kind == "" {
		kind = JSON
	}
	return failure(InvalidArgument, "bad_content", "content of %d bytes (%s) %s",
		len(m.Content), kind, why)
}

// takesNull tells whether null, or no content, is a value of the type.
func takesNull(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return true
	case reflect.Struct:
		return t.NumField() == 0
	}
	return reflect.PointerTo(t).Implements(unmarshalerType)
}

var (
	unmarshalerType = reflect.TypeFor[json.Unmarshaler]()
	numberType      = reflect.TypeFor[json.Number]()
)

// encode is the message that carries a value. Its content is not shared with the value, unless
// that is a Message.
func encode(value any) (Message, error) {
	switch value := value.(type) {
	case nil:
		return Message{Content: []byte("null"), ContentType: JSON}, nil
	case string:
		if !utf8.ValidString(value) {
			return Message{}, failure(InvalidArgument, "bad_content", "the text is not UTF-8")
		}
		return Message{Content: []byte(value), ContentType: Text}, nil
	case []byte:
		return Message{Content: bytes.Clone(value), ContentType: Bytes}, nil
	case Message:
		return value, nil
	case *Message:
		return *value, nil
	case json.RawMessage:
		if !json.Valid(value) {
			return Message{}, failure(InvalidArgument, "bad_content", "the JSON is not valid")
		}
		return Message{Content: bytes.Clone(value), ContentType: JSON}, nil
	}
	kind := reflect.TypeOf(value)
	if kind.Kind() == reflect.String && !isMarshaled(kind) {
		return encode(reflect.ValueOf(value).String())
	}
	content, err := marshal(value)
	if err != nil {
		failed := failure(InvalidArgument, "bad_content", "%T cannot be sent as JSON: %v", value, err)
		failed.cause = err
		return Message{}, failed
	}
	return Message{Content: content, ContentType: JSON, Type: structName(kind)}, nil
}

// isMarshaled tells whether a type makes its own JSON: a time, a number.
func isMarshaled(t reflect.Type) bool {
	pointer := reflect.PointerTo(t)
	return t == numberType || pointer.Implements(textMarshalerType) ||
		pointer.Implements(marshalerType)
}

// marshal is JSON without the escapes that are for HTML.
func marshal(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte{'\n'}), nil
}

// structName is the name a value travels under: that of a struct that has one, else "".
func structName(t reflect.Type) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct || strings.ContainsRune(t.Name(), '[') ||
		isMarshaled(t) {
		return ""
	}
	return t.Name()
}
