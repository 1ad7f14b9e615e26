package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"reflect"
	"testing"
)

// FuzzDecoder: any bytes give the same frames however they are cut, within the limits, and a header
// that is accepted is JSON that another parser reads in the same way.
func FuzzDecoder(f *testing.F) {
	for _, v := range loadVectors(f) {
		if raw := v.bytes(f); len(raw) < 10_000 {
			f.Add(raw, byte(len(raw)))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, piece byte) {
		whole, pieces := NewDecoder(), NewDecoder()
		wanted := decodeIn(whole, raw, []int{len(raw)})
		var sizes []int
		for left := len(raw); left > 0; left -= 1 + int(piece%64) {
			sizes = append(sizes, 1+int(piece%64))
		}
		frames := decodeIn(pieces, raw, sizes)
		if !reflect.DeepEqual(frames, wanted) {
			t.Fatalf("%v in pieces, %v whole", frames, wanted)
		}
		if (whole.Fault() == nil) != (pieces.Fault() == nil) {
			t.Fatalf("%v in pieces, %v whole", pieces.Fault(), whole.Fault())
		}
		if whole.Fault() == nil && whole.Held() != pieces.Held() {
			t.Fatalf("%d held, %d", pieces.Held(), whole.Held())
		}
		if held := cap(whole.held) + cap(whole.content); held > 4*len(raw)+2*growthBytesMin {
			t.Fatalf("%d bytes held of %d", held, len(raw))
		}
	})
}

// FuzzHeader: what is accepted is an object to encoding/json as well, with the same known fields,
// and what a writer makes of them is read again as the same.
func FuzzHeader(f *testing.F) {
	for _, v := range loadVectors(f) {
		raw := v.bytes(f)
		if len(raw) < lengthsBytes {
			continue
		}
		if size := int(binary.BigEndian.Uint32(raw)); size < 4096 && lengthsBytes+size <= len(raw) {
			f.Add(raw[lengthsBytes : lengthsBytes+size])
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var header Header
		if fault := ParseHeader(raw, &header); fault != nil {
			return
		}
		var object map[string]any
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		if err := decoder.Decode(&object); err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		if !known(header.Text(Op)) {
			return
		}
		for name, value := range header.Fields() {
			if !same(value, object[name]) {
				t.Fatalf("%q: %s is %v, %v", raw, name, value, object[name])
			}
		}
	})
}

// same compares a value of a header with that of encoding/json.
func same(value, other any) bool {
	switch value := value.(type) {
	case int64:
		number, ok := other.(json.Number)
		whole, err := number.Int64()
		return ok && err == nil && whole == value
	case Object:
		object, ok := other.(map[string]any)
		if !ok || len(object) != len(value) {
			return false
		}
		for key, each := range value {
			if !same(each, object[key]) {
				return false
			}
		}
		return true
	}
	return value == other
}

// FuzzQuoted: a string that is written is read again as it was, with U+FFFD for what is no UTF-8.
func FuzzQuoted(f *testing.F) {
	for _, text := range []string{"", "é", "\x00\"\\\n", "\xff", "\xed\xa0\x80", "a\u2028"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		raw := append(AppendQuoted([]byte(`{"op":`), text), '}')
		var header Header
		if fault := ParseHeader(raw, &header); fault != nil {
			t.Fatalf("%q: %v", raw, fault)
		}
		if wanted := string([]rune(text)); header.Text(Op) != wanted {
			t.Fatalf("%q, wanted %q", header.Text(Op), wanted)
		}
	})
}
