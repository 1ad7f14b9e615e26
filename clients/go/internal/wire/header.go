package wire

import (
	"bytes"
	"unicode/utf8"
)

// words keeps the strings that return from frame to frame, so that each is made once.
type words struct {
	kept map[string]string
}

const (
	wordsMax     = 512
	wordBytesMax = 64
)

func (w *words) of(raw []byte) string {
	if len(raw) > wordBytesMax || w == nil {
		return string(raw)
	}
	if word, ok := w.kept[string(raw)]; ok {
		return word
	}
	if w.kept == nil || len(w.kept) >= wordsMax {
		w.kept = make(map[string]string)
	}
	word := string(raw)
	w.kept[word] = word
	return word
}

// ParseHeader reads a header into h, which it empties first.
//
// A fault `bad_header` goes before `bad_field`, and nothing is asked of the fields of an op that is
// not known: it will be ignored.
func ParseHeader(raw []byte, h *Header) *Fault { return parseHeader(raw, h, nil) }

func parseHeader(raw []byte, h *Header, kept *words) *Fault {
	h.reset()
	p := headerParser{scanner: scanner{raw: raw, words: kept}, header: h}
	p.space()
	if !p.take('{') {
		return badHeader("the header is no object")
	}
	if !p.fields() {
		return p.fault
	}
	p.space()
	if p.at != len(raw) {
		return badHeader("something follows the header's object")
	}
	if p.wrong == Op || (p.wrong < fieldCount && known(h.Text(Op))) {
		return &Fault{"bad_field", p.wrong.String() + " is not of its kind"}
	}
	return nil
}

type headerParser struct {
	scanner
	header  *Header
	unknown [][]byte
	// wrong is the first known field whose value is not of its kind.
	wrong Field
}

// fields takes the members of the header's object. It is written out, not built on members: this
// is what every frame passes through.
func (p *headerParser) fields() bool {
	p.wrong = fieldCount
	p.space()
	if p.take('}') {
		return true
	}
	for {
		p.space()
		key, ok := p.plainKey()
		if !ok {
			return false
		}
		p.space()
		if !p.take(':') {
			return p.fail("a colon is missing")
		}
		p.space()
		field, isKnown := fieldsByName[string(key)]
		if isKnown {
			ok = p.known(field)
		} else {
			ok = p.another(key) && p.skip(2)
		}
		if !ok {
			return false
		}
		p.space()
		if p.take('}') {
			return true
		}
		if !p.take(',') {
			return p.fail("a comma or brace is missing")
		}
	}
}

// another remembers an unknown key, which must be new and of the right form.
func (p *headerParser) another(key []byte) bool {
	for i, b := range key {
		isLater := b == '_' || (b >= '0' && b <= '9')
		if (b < 'a' || b > 'z') && (i == 0 || !isLater) {
			return p.fail("a key is not of the form [a-z][a-z0-9_]*")
		}
	}
	if len(key) == 0 {
		return p.fail("a key is empty")
	}
	for _, each := range p.unknown {
		if bytes.Equal(each, key) {
			return p.fail("a key is there twice")
		}
	}
	if len(p.unknown) == HeaderKeysMax {
		return p.fail("too many unknown fields")
	}
	p.unknown = append(p.unknown, key)
	return true
}

// known takes the value of a known field.
func (p *headerParser) known(field Field) bool {
	h := p.header
	if h.Has(field) {
		return p.fail("a key is there twice")
	}
	h.present |= 1 << field
	next := p.peek()
	switch {
	case field < firstInteger && next == '"':
		text, ok := p.text()
		if !ok {
			return false
		}
		h.texts[field] = p.words.of(text)
		if field == Features && !areFeatures(text) {
			p.isWrong(field)
		}
		return true
	case field >= firstInteger && field < firstBoolean && (next == '-' || next-'0' <= 9):
		value, whole, ok := p.number()
		if !whole {
			p.isWrong(field)
			value = 0
		}
		h.integers[field-firstInteger] = value
		return ok
	case field >= firstBoolean && field < firstObject && next == 't':
		h.trues |= 1 << field
		return p.word("true")
	case field >= firstBoolean && field < firstObject && next == 'f':
		return p.word("false")
	case field >= firstObject && next == '{':
		return p.object(field)
	}
	p.isWrong(field)
	return p.skip(2)
}

func (p *headerParser) isWrong(field Field) {
	if p.wrong == fieldCount {
		p.wrong = field
	}
}

// object takes labels, ext or details.
func (p *headerParser) object(field Field) bool {
	object := Object{}
	var name string
	start := p.at
	p.at++
	key := func() bool {
		raw, ok := p.plainKey()
		if !ok {
			return false
		}
		if len(raw) == 0 || len(raw) > KeyBytesMax || hasControl(raw) {
			return p.fail("a key is empty, too long or has a control character")
		}
		name = p.words.of(raw)
		if _, isThere := object[name]; isThere {
			return p.fail("a key is there twice")
		}
		if len(object) == HeaderKeysMax {
			return p.fail("an object has too many keys")
		}
		object[name] = nil
		return true
	}
	ok := p.members(key, func() bool {
		value, ok := p.flat()
		if _, isText := value.(string); value == nil || (field == Labels && !isText) {
			p.isWrong(field)
		}
		object[name] = value
		return ok
	})
	if field == Ext && p.at-start > ExtBytesMax {
		p.isWrong(field)
	}
	p.header.objects[field-firstObject] = object
	return ok
}

// flat takes a string, a boolean or an integer; anything else it takes as nil.
func (p *headerParser) flat() (any, bool) {
	switch b := p.peek(); {
	case b == '"':
		text, ok := p.text()
		return p.words.of(text), ok
	case b == 't':
		return true, p.word("true")
	case b == 'f':
		return false, p.word("false")
	case b == '-' || (b >= '0' && b <= '9'):
		value, whole, ok := p.number()
		if !whole {
			return nil, ok
		}
		return value, ok
	}
	return nil, p.skip(3)
}

// hasControl finds U+0000–1F and U+7F–9F in valid UTF-8.
func hasControl(text []byte) bool {
	for i, b := range text {
		if b < 0x20 || b == 0x7f || (b == 0xc2 && i+1 < len(text) && text[i+1] < 0xa0) {
			return true
		}
	}
	return false
}

// areFeatures tells whether the text is empty, or words separated by single spaces.
func areFeatures(text []byte) bool {
	if len(text) == 0 {
		return true
	}
	for _, word := range bytes.Split(text, []byte{' '}) {
		for i, b := range word {
			isLater := b == '_' || (b >= '0' && b <= '9')
			if (b < 'a' || b > 'z') && (i == 0 || !isLater) {
				return false
			}
		}
		if len(word) == 0 {
			return false
		}
	}
	return true
}

// HasControl tells whether a text has a control character that keys and sessions may not have.
func HasControl(text string) bool { return hasControl([]byte(text)) }

// Valid tells whether a text is UTF-8, as every string of a header must be.
func Valid(text string) bool { return utf8.ValidString(text) }
