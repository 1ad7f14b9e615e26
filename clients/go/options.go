package coagent

import (
	"log/slog"
	"maps"
	"time"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// ConnectOption is an option of Connect.
type ConnectOption func(*connectOptions)

type connectOptions struct {
	name    string
	token   string
	wait    time.Duration
	repeats int
	logger  *slog.Logger
}

// WithName is the name of this client in the sidecar's lists.
func WithName(name string) ConnectOption {
	return func(o *connectOptions) { o.name = name }
}

// WithToken is what proves who this is. Without it: COAGENT_TOKEN, or what the file named by
// COAGENT_TOKEN_FILE holds.
func WithToken(token string) ConnectOption {
	return func(o *connectOptions) { o.token = token }
}

// WithWait has Connect keep trying for so long while nobody listens.
func WithWait(wait time.Duration) ConnectOption {
	return func(o *connectOptions) { o.wait = wait }
}

// WithRepeats is how often a call that no agent has seen is made again; 3 unless said.
func WithRepeats(repeats int) ConnectOption {
	return func(o *connectOptions) { o.repeats = repeats }
}

// WithLogger is where the client logs what nobody is told otherwise; slog.Default() unless said.
func WithLogger(logger *slog.Logger) ConnectOption {
	return func(o *connectOptions) { o.logger = logger }
}

// CallOption is an option of Call, Stream, Start and Open.
type CallOption interface{ applyToCall(*callOptions) }

// SendOption is an option of Send.
type SendOption interface{ applyToSend(*callOptions) }

// MessageOption is an option of Call, Stream, Start, Open, Send and Publish alike.
type MessageOption func(*callOptions)

func (f MessageOption) applyToCall(o *callOptions) { f(o) }
func (f MessageOption) applyToSend(o *callOptions) { f(o) }

// OriginOption is an option of the verbs that call, send, publish and signal.
type OriginOption func(*callOptions)

func (f OriginOption) applyToCall(o *callOptions)    { f(o) }
func (f OriginOption) applyToSend(o *callOptions)    { f(o) }
func (f OriginOption) applyToPublish(o *callOptions) { f(o) }
func (f OriginOption) applyToSignal(o *callOptions)  { f(o) }

// AckOption is an option of the verbs that send, publish and signal.
type AckOption func(*callOptions)

func (f AckOption) applyToSend(o *callOptions)    { f(o) }
func (f AckOption) applyToPublish(o *callOptions) { f(o) }
func (f AckOption) applyToSignal(o *callOptions)  { f(o) }

// DeliveryOption is an option of Send and Publish.
type DeliveryOption func(*callOptions)

func (f DeliveryOption) applyToSend(o *callOptions) { f(o) }

type callOption func(*callOptions)

func (f callOption) applyToCall(o *callOptions) { f(o) }

type sendOption func(*callOptions)

func (f sendOption) applyToSend(o *callOptions) { f(o) }

type callOptions struct {
	kind        string
	hasKind     bool
	contentType string
	ext         map[string]any
	trace       string
	sender      string
	window      int64
	isLazy      bool
	isDetached  bool
	isOrphan    bool
	hasNoLimit  bool
	isUnacked   bool
	observes    bool
	expires     time.Duration
	source      string
	run         string
	collect     Collect
}

// WithType says what kind of message this is, such as `ChatMessage`: it chooses the operation of an
// agent that has several. A named struct travels under its type's name without it.
func WithType(kind string) MessageOption {
	return func(o *callOptions) { o.kind, o.hasKind = kind, true }
}

// WithContentType is the format of the content, in place of the usual one.
func WithContentType(contentType string) MessageOption {
	return func(o *callOptions) { o.contentType = contentType }
}

// WithExt is what the other end gets beside the message: strings, booleans, integers 0…2^53-1.
func WithExt(ext map[string]any) MessageOption {
	return func(o *callOptions) {
		if o.ext == nil {
			o.ext = make(map[string]any, len(ext))
		}
		maps.Copy(o.ext, ext)
	}
}

// WithTrace is a W3C traceparent for the other end.
func WithTrace(trace string) MessageOption {
	return func(o *callOptions) { o.trace = trace }
}

// WithSender says which agent calls: one that is registered on this client.
func WithSender(address string) OriginOption {
	return func(o *callOptions) { o.sender = address }
}

// WithoutParent makes the call as if no other were being handled: no child of it. The context it is
// made with ends it as any other.
func WithoutParent() OriginOption {
	return func(o *callOptions) { o.isOrphan = true }
}

// WithWindow is how many bytes the agent may run ahead of the reader, 1 MiB unless said. 1 gives
// one message at a time.
func WithWindow(bytes int) WindowOption {
	return WindowOption(min(max(1, int64(bytes)), wire.WindowMax))
}

// WindowOption is an option of the verbs that call, and of Subscribe.
type WindowOption int64

func (w WindowOption) applyToCall(o *callOptions) { o.window = int64(w) }

// Lazy starts the agent with the first read of the reply.
func Lazy() CallOption {
	return callOption(func(o *callOptions) { o.isLazy = true })
}

// Detach keeps a child of a call that is handled here from ending with it: its time and its
// cancellation do not count. That is so for the agent's own context; a context derived from it
// counts as it is (derive from context.WithoutCancel). And it keeps a run going that nobody reads.
func Detach() CallOption {
	return callOption(func(o *callOptions) { o.isDetached = true })
}

// WithoutTimeout lifts the 30 s that Call takes where its context has no deadline.
func WithoutTimeout() CallOption {
	return callOption(func(o *callOptions) { o.hasNoLimit = true })
}

// WithoutAck has Send, Publish and the verbs that signal not wait until the message is where it
// belongs: what is lost is lost.
func WithoutAck() AckOption {
	return AckOption(func(o *callOptions) { o.isUnacked = true })
}

// Observe marks a message to take note of, not to act on.
func Observe() SendOption {
	return sendOption(func(o *callOptions) { o.observes = true })
}

// Expires is how long a message may wait, in the mailbox or for a slow reader of its topic, before
// it is dropped.
func Expires(after time.Duration) DeliveryOption {
	return DeliveryOption(func(o *callOptions) { o.expires = after })
}

// LabelsOption is an option of Register and of Discover and Watch.
type LabelsOption map[string]string

// WithLabels are labels of an agent that is registered, or what the labels of agents that are
// sought must be.
func WithLabels(labels map[string]string) LabelsOption { return LabelsOption(labels) }
