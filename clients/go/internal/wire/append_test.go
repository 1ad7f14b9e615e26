package wire

import (
	"math"
	"strings"
	"testing"
)

func TestObjectsAreSpelledInOrder(t *testing.T) {
	out, err := AppendObject([]byte("{"), Ext, Object{
		"b": true, "a": "x\"", "c": int64(7), "d": uint8(8), "e": 9.0, "f": false,
	})
	if err != nil {
		t.Fatal(err)
	}
	wanted := `{,"ext":{"a":"x\"","b":true,"c":7,"d":8,"e":9,"f":false}`
	if string(out) != wanted {
		t.Fatalf("%s, wanted %s", out, wanted)
	}
	if out, err = AppendObject(nil, Labels, nil); err != nil || len(out) != 0 {
		t.Fatal(out, err)
	}
}

func TestObjectsThatCannotBeSentSayWhy(t *testing.T) {
	many := Object{}
	for n := range 65 {
		many[strings.Repeat("k", n+1)] = "x"
	}
	for wanted, object := range map[string]Object{
		"64 are the most":       many,
		"needs escapes":         {"a\"b": 1},
		"empty, too long":       {"": 1},
		"too long":              {strings.Repeat("k", 129): 1},
		"or needs":              {"a\u0085": 1},
		"no string, boolean":    {"a": nil},
		"boolean or integer":    {"a": 1.5},
		"integer of 0…2^53-1":   {"a": -1},
		"ext[\"a\"]":            {"a": math.MaxUint64 - 1 + uint64(1)},
		"is no string":          {"a": "\xff"},
		"8192 are the most":     {"a": strings.Repeat("x", 8190)},
		"no string, boolean or": {"a": []string{"x"}},
	} {
		_, err := AppendObject(nil, Ext, object)
		if err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%v, wanted %s", err, wanted)
		}
	}
}

func TestMemoryGrowsWithWhatArrives(t *testing.T) {
	decoder := NewDecoder()
	// 16 MiB are announced, and a little of it comes.
	announced := []byte{0, 0, 0, 13, 1, 0, 0, 0}
	raw := append(announced, `{"op":"ping"}`...)
	decoder.Feed(append(raw, "little"...), func(*Header, []byte) bool {
		t.Fatal("a frame")
		return true
	})
	if size := cap(decoder.content); size > growthBytesMin {
		t.Errorf("%d bytes for 6", size)
	}
	arrived := 6
	for range 100 {
		decoder.Feed(make([]byte, 10_000), func(*Header, []byte) bool { return true })
		if arrived += 10_000; cap(decoder.content) > max(growthBytesMin, 4*arrived) {
			t.Errorf("%d bytes for %d", cap(decoder.content), arrived)
		}
	}
}

func TestNothingIsReadBehindAFault(t *testing.T) {
	decoder := NewDecoder()
	raw := []byte{0, 0, 0, 2, 0, 0, 0, 0, '[', ']', 0, 0, 0, 13, 0, 0, 0, 0}
	raw = append(raw, `{"op":"ping"}`...)
	for range 2 {
		fault := decoder.Feed(raw, func(*Header, []byte) bool { t.Fatal("a frame"); return true })
		if fault == nil || fault.Reason != "bad_header" || !strings.Contains(fault.Error(), "no object") {
			t.Fatal(fault)
		}
	}
}

func BenchmarkDecoder(b *testing.B) {
	raw := []byte{0, 0, 0, 55, 0, 0, 0, 5}
	raw = append(raw, `{"op":"data","id":1234,"content_type":"text/plain"    }token`...)
	decoder := NewDecoder()
	count := 0
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for range b.N {
		decoder.Feed(raw, func(*Header, []byte) bool { count++; return true })
	}
	if count != b.N {
		b.Fatal(count, decoder.Fault())
	}
}
