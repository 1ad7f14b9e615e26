package wire

import (
	"bytes"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// Fault says why bytes cannot be trusted; Reason is one of proto/errors.json.
type Fault struct {
	Reason string
	Text   string
}

func (f *Fault) Error() string { return f.Reason + ": " + f.Text }

func badHeader(format string, values ...any) *Fault {
	return &Fault{"bad_header", fmt.Sprintf(format, values...)}
}

// scanner walks the bytes of one header. Each step returns false where the JSON is wrong; the
// reason stands in fault by then.
type scanner struct {
	raw   []byte
	at    int
	fault *Fault
	words *words
}

func (s *scanner) fail(text string) bool {
	if s.fault == nil {
		s.fault = badHeader("%s at byte %d", text, s.at)
	}
	return false
}

func (s *scanner) space() {
	for s.at < len(s.raw) {
		switch s.raw[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// peek is the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.raw) {
		return s.raw[s.at]
	}
	return 0
}

// take steps over the byte if it is the next.
func (s *scanner) take(b byte) bool {
	if s.at < len(s.raw) && s.raw[s.at] == b {
		s.at++
		return true
	}
	return false
}

// members walks the members of an object, of which the brace has been taken. It stands on a value
// when it calls each.
func (s *scanner) members(key func() bool, each func() bool) bool {
	s.space()
	if s.take('}') {
		return true
	}
	for {
		s.space()
		if !key() {
			return false
		}
		s.space()
		if !s.take(':') {
			return s.fail("a colon is missing")
		}
		s.space()
		if !each() {
			return false
		}
		s.space()
		if s.take('}') {
			return true
		}
		if !s.take(',') {
			return s.fail("a comma or brace is missing")
		}
	}
}

// plainKey takes a key that is written without escapes and returns its bytes.
func (s *scanner) plainKey() ([]byte, bool) {
	if !s.take('"') {
		return nil, s.fail("a key is missing")
	}
	size := bytes.IndexByte(s.raw[s.at:], '"')
	if size < 0 {
		return nil, s.fail("a key does not end")
	}
	key := s.raw[s.at : s.at+size]
	for _, b := range key {
		if b == '\\' || b < 0x20 {
			return nil, s.fail("a key has an escape or a control character")
		}
	}
	if !utf8.Valid(key) {
		return nil, s.fail("a key is not UTF-8")
	}
	s.at += size + 1
	return key, true
}

// text takes a string; the bytes returned live as long as the header's, or are new.
func (s *scanner) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, s.fail("a string is missing")
	}
	start := s.at
	ascii := true
	for i := start; i < len(s.raw); i++ {
		b := s.raw[i]
		switch {
		case b == '"':
			s.at = i + 1
			if !ascii && !utf8.Valid(s.raw[start:i]) {
				return nil, s.fail("a string is not UTF-8")
			}
			return s.raw[start:i], true
		case b == '\\':
			return s.escaped(start, i)
		case b < 0x20:
			return nil, s.fail("a string has a control character")
		case b >= 0x80:
			ascii = false
		}
	}
	return nil, s.fail("a string does not end")
}

// escaped takes the rest of a string that began at start and has its first escape at i.
func (s *scanner) escaped(start, i int) ([]byte, bool) {
	out := append([]byte(nil), s.raw[start:i]...)
	for i < len(s.raw) {
		b := s.raw[i]
		switch {
		case b == '"':
			s.at = i + 1
			if !utf8.Valid(out) {
				return nil, s.fail("a string is not UTF-8")
			}
			return out, true
		case b < 0x20:
			return nil, s.fail("a string has a control character")
		case b != '\\':
			out = append(out, b)
			i++
		default:
			var size int
			out, size = unescape(out, s.raw[i:])
			if size == 0 {
				return nil, s.fail("an escape is none of JSON's")
			}
			i += size
		}
	}
	return nil, s.fail("a string does not end")
}

// unescape appends what the escape at the beginning of raw stands for and returns its length, or 0.
func unescape(out, raw []byte) ([]byte, int) {
	if len(raw) < 2 {
		return out, 0
	}
	switch raw[1] {
	case '"', '\\', '/':
		return append(out, raw[1]), 2
	case 'b':
		return append(out, '\b'), 2
	case 'f':
		return append(out, '\f'), 2
	case 'n':
		return append(out, '\n'), 2
	case 'r':
		return append(out, '\r'), 2
	case 't':
		return append(out, '\t'), 2
	case 'u':
		high := hex4(raw)
		if high < 0 {
			return out, 0
		}
		if !utf16.IsSurrogate(high) {
			return utf8.AppendRune(out, high), 6
		}
		both := utf16.DecodeRune(high, hex4(raw[6:]))
		if both == utf8.RuneError {
			return out, 0
		}
		return utf8.AppendRune(out, both), 12
	}
	return out, 0
}

// hex4 is the number of a \uXXXX at the beginning of raw, or -1.
func hex4(raw []byte) rune {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return -1
	}
	var number rune
	for _, b := range raw[2:6] {
		switch {
		case b >= '0' && b <= '9':
			number = number<<4 | rune(b-'0')
		case b >= 'a' && b <= 'f':
			number = number<<4 | rune(b-'a'+10)
		case b >= 'A' && b <= 'F':
			number = number<<4 | rune(b-'A'+10)
		default:
			return -1
		}
	}
	return number
}

// number takes a number of JSON; whole tells that it is 0…2^53-1, written as an integer.
func (s *scanner) number() (value int64, whole, ok bool) {
	start := s.at
	minus := s.take('-')
	switch b := s.peek(); {
	case b == '0':
		s.at++
	case b >= '1' && b <= '9':
		for b := s.peek(); b >= '0' && b <= '9'; b = s.peek() {
			if s.at-start < 17 {
				value = value*10 + int64(b-'0')
			}
			s.at++
		}
	default:
		return 0, false, s.fail("a value is missing")
	}
	whole = !minus && s.at-start <= 16 && value <= IntegerMax
	if s.take('.') {
		whole = false
		if !s.digits() {
			return 0, false, false
		}
	}
	if s.take('e') || s.take('E') {
		whole = false
		if !s.take('+') {
			s.take('-')
		}
		if !s.digits() {
			return 0, false, false
		}
	}
	return value, whole, true
}

func (s *scanner) digits() bool {
	start := s.at
	for b := s.peek(); b >= '0' && b <= '9'; b = s.peek() {
		s.at++
	}
	return s.at > start || s.fail("digits are missing")
}

// word takes true, false or null.
func (s *scanner) word(text string) bool {
	if bytes.HasPrefix(s.raw[s.at:], []byte(text)) {
		s.at += len(text)
		return true
	}
	return s.fail("a value is none of JSON's")
}

// skip takes any value; depth is the level that an array or object here would have.
func (s *scanner) skip(depth int) bool {
	switch b := s.peek(); {
	case b == '"':
		_, ok := s.text()
		return ok
	case b == '{' || b == '[':
		if depth > HeaderDepthMax {
			return s.fail("nested too deeply")
		}
		s.at++
		if b == '[' {
			return s.items(depth)
		}
		anyKey := func() bool { _, ok := s.text(); return ok }
		return s.members(anyKey, func() bool { return s.skip(depth + 1) })
	case b == 't':
		return s.word("true")
	case b == 'f':
		return s.word("false")
	case b == 'n':
		return s.word("null")
	}
	_, _, ok := s.number()
	return ok
}

// items takes the rest of an array.
func (s *scanner) items(depth int) bool {
	s.space()
	if s.take(']') {
		return true
	}
	for {
		s.space()
		if !s.skip(depth + 1) {
			return false
		}
		s.space()
		if s.take(']') {
			return true
		}
		if !s.take(',') {
			return s.fail("a comma or bracket is missing")
		}
	}
}
