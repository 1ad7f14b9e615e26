package main

import (
	"encoding/hex"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

// decode is what the client's own decoder makes of bytes.
func decode(c command) (object, error) {
	raw, err := hex.DecodeString(c.Hex)
	if err != nil {
		return nil, err
	}
	sizes := []int{len(raw)}
	switch split := c.Split.(type) {
	case string:
		if split == "bytes" {
			sizes = make([]int, len(raw))
			for i := range sizes {
				sizes[i] = 1
			}
		}
	case []any:
		sizes = nil
		for _, size := range split {
			number, _ := size.(float64)
			sizes = append(sizes, int(number))
		}
	}
	decoder := wire.NewDecoder()
	frames := []object{}
	for _, size := range append(sizes, len(raw)) {
		size = min(size, len(raw))
		decoder.Feed(raw[:size], func(header *wire.Header, content []byte) bool {
			frames = append(frames, object{"header": header.Fields(),
				"content_hex": hex.EncodeToString(content)})
			return true
		})
		raw = raw[size:]
	}
	if fault := decoder.Fault(); fault != nil {
		return object{"fatal": fault.Reason, "frames": frames}, nil
	}
	return object{"frames": frames, "rest": decoder.Held()}, nil
}
