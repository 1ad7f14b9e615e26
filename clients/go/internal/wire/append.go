package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendQuoted appends a JSON string. Bytes that are not UTF-8 become U+FFFD.
func AppendQuoted(out []byte, text string) []byte {
	out = append(out, '"')
	start := 0
	for i := 0; i < len(text); {
		b := text[i]
		if b >= utf8.RuneSelf {
			if symbol, size := utf8.DecodeRuneInString(text[i:]); symbol != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			out = append(append(out, text[start:i]...), "\uFFFD"...)
			i++
			start = i
			continue
		}
		if b >= 0x20 && b != '"' && b != '\\' {
			i++
			continue
		}
		out = append(out, text[start:i]...)
		if b == '"' || b == '\\' {
			out = append(out, '\\', b)
		} else {
			out = append(out, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&15])
		}
		i++
		start = i
	}
	return append(append(out, text[start:]...), '"')
}

// AppendText appends `,"field":"value"`, unless the value is empty.
func AppendText(out []byte, field Field, value string) []byte {
	if value == "" {
		return out
	}
	out = append(out, ',', '"')
	out = append(out, field.String()...)
	out = append(out, '"', ':')
	return AppendQuoted(out, value)
}

// AppendInteger appends `,"field":value`.
func AppendInteger(out []byte, field Field, value int64) []byte {
	out = append(out, ',', '"')
	out = append(out, field.String()...)
	out = append(out, '"', ':')
	return strconv.AppendInt(out, value, 10)
}

// AppendTrue appends `,"field":true` if it is.
func AppendTrue(out []byte, field Field, value bool) []byte {
	if !value {
		return out
	}
	out = append(out, ',', '"')
	out = append(out, field.String()...)
	return append(out, `":true`...)
}

// AppendObject appends `,"field":{…}`, unless the object is empty. It says what is wrong with the
// object if it cannot be sent.
func AppendObject(out []byte, field Field, object Object) ([]byte, error) {
	if len(object) == 0 {
		return out, nil
	}
	if len(object) > HeaderKeysMax {
		return out, fmt.Errorf("%s has %d keys, %d are the most", field, len(object), HeaderKeysMax)
	}
	out = append(out, ',', '"')
	out = append(out, field.String()...)
	out = append(out, '"', ':')
	start := len(out)
	keys := make([]string, 0, len(object))
	for key := range object {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for i, key := range keys {
		if !isKey(key) {
			return out, fmt.Errorf("%s has a key that is empty, too long or needs escapes: %.40q",
				field, key)
		}
		if i == 0 {
			out = append(out, '{')
		} else {
			out = append(out, ',')
		}
		out = append(AppendQuoted(out, key), ':')
		var ok bool
		if out, ok = appendFlat(out, object[key]); !ok {
			return out, fmt.Errorf("%s[%q] is no string, boolean or integer of 0…2^53-1", field, key)
		}
	}
	out = append(out, '}')
	if field == Ext && len(out)-start > ExtBytesMax {
		return out, fmt.Errorf("%s takes %d bytes, %d are the most", field, len(out)-start, ExtBytesMax)
	}
	return out, nil
}

func isKey(key string) bool {
	if len(key) == 0 || len(key) > KeyBytesMax || !utf8.ValidString(key) || HasControl(key) {
		return false
	}
	for i := 0; i < len(key); i++ {
		if key[i] == '"' || key[i] == '\\' {
			return false
		}
	}
	return true
}

func appendFlat(out []byte, value any) ([]byte, bool) {
	switch value := value.(type) {
	case string:
		return AppendQuoted(out, value), utf8.ValidString(value)
	case bool:
		return strconv.AppendBool(out, value), true
	}
	number, ok := WholeNumber(value)
	return strconv.AppendInt(out, number, 10), ok
}

// WholeNumber is a value of any of Go's number types, if it is an integer of 0…2^53-1.
func WholeNumber(value any) (int64, bool) {
	number := int64(-1)
	switch reflected := reflect.ValueOf(value); {
	case !reflected.IsValid():
	case reflected.CanInt():
		number = reflected.Int()
	case reflected.CanUint():
		if unsigned := reflected.Uint(); unsigned <= IntegerMax {
			number = int64(unsigned)
		}
	case reflected.CanFloat():
		if float := reflected.Float(); float >= 0 && float <= IntegerMax && float == math.Trunc(float) {
			number = int64(float)
		}
	}
	return number, number >= 0 && number <= IntegerMax
}

// AppendFrame appends a frame up to its content: the lengths, and the header that write appends.
func AppendFrame(out []byte, contentBytes int, write func([]byte) []byte) []byte {
	start := len(out)
	out = append(out, 0, 0, 0, 0, 0, 0, 0, 0)
	out = write(out)
	EndHeader(out, start, contentBytes)
	return out
}

// BeginHeader leaves room for the lengths of a frame.
func BeginHeader(out []byte) []byte { return append(out, 0, 0, 0, 0, 0, 0, 0, 0) }

// EndHeader writes the lengths of the frame that began at start and whose header ends here.
func EndHeader(out []byte, start, contentBytes int) {
	headerBytes := len(out) - start - lengthsBytes
	binary.BigEndian.PutUint32(out[start:], uint32(headerBytes))
	binary.BigEndian.PutUint32(out[start+4:], uint32(contentBytes))
}
