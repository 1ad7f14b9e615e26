package coagent

import "github.com/coagent/coagent/clients/go/internal/wire"

// WithTopics has topics, or patterns, feed the agent: a message of source `s` comes to its session
// `s`, as one that nobody answers. Where the sidecar refuses one, Register fails.
func WithTopics(topics ...string) RegisterOption {
	return registerOption(func(o *registerOptions) { o.topics = append(o.topics, topics...) })
}

// feed is a subscription that feeds an agent; it lives with the registration, whose mu guards it.
type feed struct {
	registration *Registration
	connection   *connection
	id           int64
}

// feed subscribes the agent to its topics; it is registered when all of them feed it. mu is held.
func (r *Registration) feed(connection *connection) error {
	r.notFed = nil
	r.unanswered = 1 + len(r.topics)
	for _, topic := range r.topics {
		f := &feed{registration: r, connection: connection}
		id, err := connection.openID(f, "subscribe", nil, func(out []byte) []byte {
			return wire.AppendText(wire.AppendText(out, wire.Topic, topic), wire.Agent, r.name)
		})
		if err != nil {
			connection.writeCancel(r.id)
			return err
		}
		f.id = id
	}
	return nil
}

// fed is that the sidecar took the registration, or one of its topics. mu is held.
func (r *Registration) fed() {
	r.unanswered--
	if r.unanswered == 0 {
		r.answer(nil)
	}
}

func (f *feed) onData(*wire.Header, []byte) {}
func (f *feed) onCredit(int64)              {}
func (f *feed) onCancel(string)             {}
func (f *feed) onLost(*Error)               {} // The registration hears of it too.

func (f *feed) onOK() {
	f.registration.mu.Lock()
	defer f.registration.mu.Unlock()
	f.registration.fed()
}

// onError is that a topic does not feed the agent: it is withdrawn, for it would wait in vain. That
// the subscription ends with the registration is no news.
func (f *feed) onError(header *wire.Header) {
	err := errorFrom(header, "")
	r := f.registration
	r.mu.Lock()
	defer r.mu.Unlock()
	f.connection.endID(f.id)
	isNews := r.notFed == nil && err.Code != Cancelled
	if isNews && !r.isWithdrawn && r.id != 0 && r.connection == f.connection {
		r.notFed = err
		f.connection.writeCancel(r.id)
	}
}
