package wire

import (
	"encoding/hex"
	"encoding/json"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

type vector struct {
	Name   string `json:"name"`
	From   string `json:"from"`
	First  bool   `json:"first"`
	Hex    string `json:"hex"`
	Frames []struct {
		Header     map[string]any `json:"header"`
		ContentHex string         `json:"content_hex"`
	} `json:"frames"`
	Rest  int             `json:"rest"`
	Fatal string          `json:"fatal"`
	Field json.RawMessage `json:"field"`
}

func loadVectors(t testing.TB) []vector {
	t.Helper()
	paths, err := filepath.Glob("../../../../proto/vectors/frames/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	var all []vector
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var some []vector
		if err := json.Unmarshal(raw, &some); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, some...)
	}
	return all
}

func (v vector) bytes(t testing.TB) []byte {
	raw, err := hex.DecodeString(v.Hex)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (v vector) decoder() *Decoder {
	decoder := NewDecoder()
	if v.From == "client" {
		decoder.HeaderBytesMax = HeaderBytesMaxClient
	}
	if v.First {
		decoder.HeaderBytesMax = 8_192
	}
	return decoder
}

// splits are ways to cut: whole, byte by byte, in two at every offset of the small, by chance.
func (v vector) splits(size int) [][]int {
	ways := [][]int{{size}}
	if size <= 4096 {
		single := make([]int, size)
		for i := range single {
			single[i] = 1
		}
		ways = append(ways, single)
		for at := 1; at < min(size, 300); at++ {
			ways = append(ways, []int{at, size - at})
		}
	}
	chance := rand.New(rand.NewSource(int64(len(v.Name) + size)))
	for range 10 {
		way := make([]int, 6)
		for i := range way {
			way[i] = 1 + chance.Intn(max(1, size/2))
		}
		ways = append(ways, append(way, size))
	}
	return ways
}

type readFrame struct {
	fields  map[string]any
	content string
}

func decodeIn(decoder *Decoder, raw []byte, sizes []int) []readFrame {
	var frames []readFrame
	for _, size := range sizes {
		size = min(size, len(raw))
		decoder.Feed(raw[:size], func(header *Header, content []byte) bool {
			frames = append(frames, readFrame{header.Fields(), hex.EncodeToString(content)})
			return true
		})
		raw = raw[size:]
	}
	return frames
}

// knownOnly is the header as JSON has it, without what a client does not keep.
func knownOnly(header map[string]any) map[string]any {
	op, _ := header["op"].(string)
	kept := map[string]any{}
	for key, value := range header {
		if _, ok := fieldsByName[key]; !ok {
			continue
		}
		if number, ok := value.(float64); ok {
			value = int64(number)
		}
		if object, ok := value.(map[string]any); ok {
			for name, each := range object {
				if number, ok := each.(float64); ok {
					object[name] = int64(number)
				}
			}
		}
		kept[key] = value
	}
	if !known(op) {
		return map[string]any{"op": op}
	}
	return kept
}

func TestVectorsAreReadTheSameHoweverTheyAreCut(t *testing.T) {
	for _, v := range loadVectors(t) {
		raw := v.bytes(t)
		for _, sizes := range v.splits(len(raw)) {
			decoder := v.decoder()
			frames := decodeIn(decoder, raw, sizes)
			fault := decoder.Fault()
			switch {
			case v.Fatal == "content_length" && v.First:
				// That a first frame has no content is for the sidecar to say.
				continue
			case v.Fatal != "":
				if fault == nil || fault.Reason != v.Fatal {
					t.Fatalf("%s in %v: fault %v, wanted %s", v.Name, sizes, fault, v.Fatal)
				}
				continue
			case v.Field != nil:
				continue
			}
			if fault != nil {
				t.Fatalf("%s in %v: %v", v.Name, sizes, fault)
			}
			if decoder.Held() != v.Rest {
				t.Fatalf("%s in %v: %d bytes held, wanted %d", v.Name, sizes, decoder.Held(), v.Rest)
			}
			if len(frames) != len(v.Frames) {
				t.Fatalf("%s in %v: %d frames, wanted %d", v.Name, sizes, len(frames), len(v.Frames))
			}
			for i, frame := range frames {
				wanted := knownOnly(v.Frames[i].Header)
				if op, _ := wanted["op"].(string); !known(op) {
					frame.fields = map[string]any{"op": frame.fields["op"]}
				}
				if !reflect.DeepEqual(frame.fields, wanted) {
					t.Fatalf("%s in %v: %v, wanted %v", v.Name, sizes, frame.fields, wanted)
				}
				if frame.content != v.Frames[i].ContentHex {
					t.Fatalf("%s in %v: another content", v.Name, sizes)
				}
			}
		}
	}
}

// wrongKind is what a `field` vector says is wrong with it.
type wrongKind struct {
	Reason string `json:"reason"`
	Field  string `json:"field"`
}

func TestFieldsOfTheWrongKindAreFound(t *testing.T) {
	seen := 0
	for _, v := range loadVectors(t) {
		if v.Field == nil {
			continue
		}
		var wrong wrongKind
		if err := json.Unmarshal(v.Field, &wrong); err != nil {
			t.Fatal(err)
		}
		decoder := v.decoder()
		decodeIn(decoder, v.bytes(t), []int{len(v.Hex)})
		fault := decoder.Fault()
		if fault != nil && fault.Reason != "bad_field" {
			t.Errorf("%s: %v", v.Name, fault)
		}
		if fault != nil {
			seen++
			if fault.Text != wrong.Field+" is not of its kind" {
				t.Errorf("%s: %v, wanted %s", v.Name, fault, wrong.Field)
			}
		} else if wrong.Reason == "bad_field" {
			t.Logf("%s is taken", v.Name)
		}
	}
	if seen < 20 {
		t.Errorf("only %d faults", seen)
	}
}
