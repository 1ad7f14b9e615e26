// Package wire reads and writes frames: two lengths, a header, content.
//
// It knows the form of headers and nothing of what they ask for.
package wire

// Limits of the protocol that a client has to know; proto/limits.json names them all.
const (
	HeaderBytesMin       = 2
	HeaderBytesMaxClient = 32_768
	HeaderBytesMax       = 65_536
	ContentBytesMax      = 16 * 1024 * 1024
	ExtBytesMax          = 8_192
	KeyBytesMax          = 128
	HeaderKeysMax        = 64
	HeaderDepthMax       = 16
	IntegerMax           = 1<<53 - 1
	FrameCost            = 256
	WindowDefault        = 1024 * 1024
	WindowMax            = 1<<31 - 1
	PartBytesMax         = 256 * 1024
)

// Field is a known field of a header.
type Field uint8

// The known fields, by the kind of their values.
const (
	Op Field = iota
	Client
	Token
	Name
	Server
	Connection
	Reason
	Description
	Version
	To
	Type
	Trace
	ContentType
	From
	Code
	Message
	Agent
	Topic
	Source
	Run
	Features

	V
	ID
	MaxContent
	HeartbeatMS
	TimeoutMS
	Concurrency
	SessionConcurrency
	IdleMS
	Window
	Bytes
	Parent
	Call
	Dropped

	Exclusive
	Lazy
	Input
	Detach
	New
	Oneway
	Observe
	Part
	End
	Unordered
	More
	Retry

	Labels
	Ext
	Details

	fieldCount
	firstInteger = V
	firstBoolean = Exclusive
	firstObject  = Labels
)

var fieldNames = [fieldCount]string{
	"op", "client", "token", "name", "server", "connection", "reason", "description", "version",
	"to", "type", "trace", "content_type", "from", "code", "message", "agent", "topic", "source",
	"run", "features",
	"v", "id", "max_content", "heartbeat_ms", "timeout_ms", "concurrency", "session_concurrency",
	"idle_ms", "window", "bytes", "parent", "call", "dropped",
	"exclusive", "lazy", "input", "detach", "new", "oneway", "observe", "part", "end", "unordered",
	"more", "retry",
	"labels", "ext", "details",
}

var fieldsByName = func() map[string]Field {
	fields := make(map[string]Field, fieldCount)
	for field, name := range fieldNames {
		fields[name] = Field(field)
	}
	return fields
}()

// String is the field's name in a header.
func (f Field) String() string { return fieldNames[f] }

// Object is a flat object of strings, booleans and integers (as int64).
type Object = map[string]any

// Header is what a frame says. What is absent reads as "", 0, false or nil.
type Header struct {
	present  uint64
	trues    uint64
	texts    [firstInteger]string
	integers [firstBoolean - firstInteger]int64
	objects  [fieldCount - firstObject]Object
}

// Has tells whether the field is there.
func (h *Header) Has(field Field) bool { return h.present&(1<<field) != 0 }

// Text is the value of a field that holds a string.
func (h *Header) Text(field Field) string { return h.texts[field] }

// Integer is the value of a field that holds an integer.
func (h *Header) Integer(field Field) int64 { return h.integers[field-firstInteger] }

// Is is the value of a field that holds a boolean.
func (h *Header) Is(field Field) bool { return h.trues&(1<<field) != 0 }

// Object is the value of a field that holds an object.
func (h *Header) Object(field Field) Object { return h.objects[field-firstObject] }

// Fields is the header as a map, as JSON would have it.
func (h *Header) Fields() map[string]any {
	fields := map[string]any{}
	for field := Field(0); field < fieldCount; field++ {
		switch {
		case !h.Has(field):
		case field < firstInteger:
			fields[field.String()] = h.Text(field)
		case field < firstBoolean:
			fields[field.String()] = h.Integer(field)
		case field < firstObject:
			fields[field.String()] = h.Is(field)
		default:
			fields[field.String()] = h.Object(field)
		}
	}
	return fields
}

// reset empties the header for the next frame.
func (h *Header) reset() {
	if h.present != 0 {
		*h = Header{}
	}
}

// known are the ops of version 1, whichever side sends them.
func known(op string) bool {
	switch op {
	case "hello", "welcome", "ping", "pong", "goodbye", "register", "ok", "call", "data", "error",
		"cancel", "credit", "send", "close", "publish", "subscribe", "signal", "splice":
		return true
	}
	return false
}
