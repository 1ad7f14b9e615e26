package wire

import (
	"encoding/binary"
	"fmt"
)

const lengthsBytes = 8

// growthBytesMin is what a content that has only begun to arrive takes at most.
const growthBytesMin = 64 * 1024

// Decoder turns bytes, however they are cut, into frames. It takes memory as they arrive, not as
// lengths announce. After the first frame that cannot be trusted it takes nothing more.
type Decoder struct {
	// HeaderBytesMax and ContentBytesMax are the largest lengths that are accepted.
	HeaderBytesMax  int
	ContentBytesMax int

	held    []byte // Of an unfinished frame: its lengths and header.
	content []byte // Of an unfinished frame whose header is complete.
	missing int    // How much of that content has still to come.
	isIn    bool   // The header is parsed, the content is not complete.
	header  Header
	words   words
	fault   *Fault
}

// NewDecoder reads what a sidecar sends.
func NewDecoder() *Decoder {
	return &Decoder{HeaderBytesMax: HeaderBytesMax, ContentBytesMax: ContentBytesMax}
}

// Fault is why the decoder takes nothing more, or nil.
func (d *Decoder) Fault() *Fault { return d.fault }

// Held is how many bytes wait for the rest of their frame.
func (d *Decoder) Held() int { return len(d.held) + len(d.content) }

// Feed takes bytes and calls each for every frame that is complete with them, until it returns
// false. The header is valid during the call, the content belongs to whoever gets it.
func (d *Decoder) Feed(received []byte, each func(*Header, []byte) bool) *Fault {
	for d.fault == nil && (len(received) > 0 || (d.isIn && d.missing == 0)) {
		if d.isIn {
			received = d.fill(received)
			if d.missing > 0 {
				return nil
			}
			content := d.content
			d.content, d.isIn, d.held = nil, false, d.held[:0]
			if !each(&d.header, content) {
				return nil
			}
			continue
		}
		if len(d.held) > 0 {
			received = d.hold(received)
			continue
		}
		size := d.whole(received)
		if size == 0 {
			d.hold(received)
			return d.fault
		}
		if d.fault != nil {
			return d.fault
		}
		headerSize := int(binary.BigEndian.Uint32(received))
		content := append([]byte(nil), received[lengthsBytes+headerSize:size]...)
		received = received[size:]
		if !each(&d.header, content) {
			return nil
		}
	}
	return d.fault
}

// whole parses the header of the frame at the beginning, if all of it is there, and returns its
// size; 0 if it is not, or has a fault.
func (d *Decoder) whole(received []byte) int {
	if len(received) < lengthsBytes {
		return 0
	}
	headerSize, contentSize := d.lengths(received)
	if d.fault != nil || uint64(len(received)) < lengthsBytes+uint64(headerSize)+uint64(contentSize) {
		return 0
	}
	end := lengthsBytes + int(headerSize)
	d.fault = parseHeader(received[lengthsBytes:end], &d.header, &d.words)
	if d.fault != nil {
		return 0
	}
	return end + int(contentSize)
}

// lengths are H and C, judged as soon as they are there.
func (d *Decoder) lengths(raw []byte) (headerSize, contentSize uint32) {
	headerSize = binary.BigEndian.Uint32(raw)
	contentSize = binary.BigEndian.Uint32(raw[4:])
	if headerSize < HeaderBytesMin || int64(headerSize) > int64(d.HeaderBytesMax) {
		text := fmt.Sprintf("a header of %d bytes is not within %d…%d",
			headerSize, HeaderBytesMin, d.HeaderBytesMax)
		d.fault = &Fault{"header_length", text}
	} else if int64(contentSize) > int64(d.ContentBytesMax) {
		text := fmt.Sprintf("a content of %d bytes exceeds %d", contentSize, d.ContentBytesMax)
		d.fault = &Fault{"content_length", text}
	}
	return headerSize, contentSize
}

// hold keeps bytes of an unfinished frame up to the end of its header, and parses that when it is
// complete. It returns what is left.
func (d *Decoder) hold(received []byte) []byte {
	if d.fault != nil {
		return nil
	}
	received = d.upTo(lengthsBytes, received)
	if len(d.held) < lengthsBytes {
		return nil
	}
	headerSize, contentSize := d.lengths(d.held)
	if d.fault != nil {
		return nil
	}
	end := lengthsBytes + int(headerSize)
	received = d.upTo(end, received)
	if len(d.held) < end {
		return nil
	}
	d.fault = parseHeader(d.held[lengthsBytes:], &d.header, &d.words)
	if d.fault == nil {
		d.isIn = true
		d.missing = int(contentSize)
		received = d.fill(received)
	}
	if d.isIn && d.missing > 0 {
		return nil
	}
	return received
}

// upTo fills held to that size and returns what is left.
func (d *Decoder) upTo(size int, received []byte) []byte {
	count := min(max(size-len(d.held), 0), len(received))
	d.held = append(d.held, received[:count]...)
	return received[count:]
}

// fill takes content that was missing and returns what is left.
func (d *Decoder) fill(received []byte) []byte {
	count := min(d.missing, len(received))
	if room := cap(d.content) - len(d.content); count > room {
		// What has arrived may grow fourfold, so that copying stays cheap and memory honest.
		size := max(growthBytesMin, 4*(len(d.content)+count))
		grown := make([]byte, len(d.content), min(len(d.content)+d.missing, size))
		copy(grown, d.content)
		d.content = grown
	}
	d.content = append(d.content, received[:count]...)
	d.missing -= count
	return received[count:]
}
