package coagent

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/coagent/coagent/clients/go/internal/wire"
)

const (
	messageBytesMax = 4_096
	detailsBytesMax = 4_096
	detailBytesMax  = 2_048
	causesMax       = 8
)

var codes = map[Code]bool{
	InvalidArgument: true, NotFound: true, AlreadyExists: true, PermissionDenied: true,
	Unauthenticated: true, ResourceExhausted: true, FailedPrecondition: true, Aborted: true,
	Unimplemented: true, Internal: true, Unavailable: true, DeadlineExceeded: true, Cancelled: true,
}

// errorFrom is the error that a frame tells of.
func errorFrom(header *wire.Header, address string) *Error {
	err := &Error{
		Code:    Code(header.Text(wire.Code)),
		Reason:  header.Text(wire.Reason),
		Message: header.Text(wire.Message),
		Details: header.Object(wire.Details),
		Retry:   header.Is(wire.Retry),
		Address: address,
	}
	if !codes[err.Code] {
		err.Code = Internal
	}
	if causes, _ := err.Details["causes"].(string); causes != "" {
		texts := strings.Split(causes, " <- ")
		for i := len(texts) - 1; i >= 0; i-- {
			kind, message, _ := strings.Cut(texts[i], ": ")
			err.cause = &RemoteCause{Type: kind, Message: message, cause: err.cause}
		}
	}
	return err
}

// asError is what of an agent's error travels: each text within its limit.
//
// An *Error keeps its code, also below others that wrap it; anything else is the agent's failure.
func asError(err error) *Error {
	out := &Error{
		Code: Internal, Reason: "agent_error", Message: err.Error(), Details: map[string]any{},
	}
	below := errors.Unwrap(err)
	var known *Error
	if errors.As(err, &known) {
		out.Code, out.Reason = known.Code, known.Reason
		if !codes[out.Code] {
			out.Code = Internal
		}
		if err == error(known) {
			out.Message = known.Message
		}
		for key, value := range known.Details {
			out.Details[key] = value
		}
		if _, isNamed := out.Details["agent"]; known.Address != "" && !isNamed {
			out.Details["agent"] = known.Address
		}
		below = known.cause
	} else {
		out.Details["type"] = typeName(err)
	}
	if _, isThere := out.Details["causes"]; !isThere {
		if causes := causesOf(below); causes != "" {
			out.Details["causes"] = causes
		}
	}
	out.Message = cut(out.Message, messageBytesMax)
	out.Details = bounded(out.Details)
	return out
}

// causesOf lists an error and what it wraps, from the outside in.
func causesOf(err error) string {
	var texts []string
	for err != nil && len(texts) < causesMax {
		switch each := err.(type) {
		case *RemoteCause:
			texts = append(texts, each.Error())
		case *Error:
			texts = append(texts, typeName(err)+": "+each.Message)
		default:
			texts = append(texts, typeName(err)+": "+err.Error())
		}
		if several, ok := err.(interface{ Unwrap() []error }); ok {
			err = errors.Join(several.Unwrap()[1:]...)
			continue
		}
		err = errors.Unwrap(err)
	}
	return cut(strings.Join(texts, " <- "), detailBytesMax)
}

func typeName(err error) string {
	return strings.TrimPrefix(reflect.TypeOf(err).String(), "*")
}

// cut is the text, or its beginning with an ellipsis if it takes more bytes; always valid UTF-8.
func cut(text string, bytesMax int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= bytesMax {
		return text
	}
	end := bytesMax - len("…")
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// bounded keeps only what a header may hold, within the limit.
func bounded(details map[string]any) map[string]any {
	left := detailsBytesMax
	kept := make(map[string]any, len(details))
	for key, value := range details {
		switch each := value.(type) {
		case string:
			value = cut(each, detailBytesMax)
		case bool:
		default:
			number, isWhole := wire.WholeNumber(value)
			if value = number; !isWhole {
				value = cut(fmt.Sprint(each), detailBytesMax)
			}
		}
		spelled, err := wire.AppendObject(nil, wire.Details, wire.Object{key: value})
		if err != nil || len(spelled) > left || len(kept) == wire.HeaderKeysMax {
			continue
		}
		left -= len(spelled)
		kept[key] = value
	}
	return kept
}

// appendError appends the header of an error; without an id if that is 0.
func appendError(out []byte, id int64, err *Error) []byte {
	out = append(out, `{"op":"error"`...)
	if id != 0 {
		out = wire.AppendInteger(out, wire.ID, id)
	}
	out = wire.AppendText(out, wire.Code, string(err.Code))
	out = wire.AppendText(out, wire.Reason, cut(err.Reason, 256))
	message := err.Message
	if len(message) > 1024 && len(wire.AppendQuoted(nil, message)) > 2*messageBytesMax {
		message = cut(message, 1024) // Full of characters that need escapes.
	}
	out = wire.AppendText(out, wire.Message, message)
	if spelled, invalid := wire.AppendObject(out, wire.Details, err.Details); invalid == nil {
		out = spelled
	}
	return wire.AppendTrue(out, wire.Retry, err.Retry)
}

// endedError is what an agent's error is to its caller, or nil; isOver tells that nobody waited any
// more.
func endedError(isOver bool, err error) *Error {
	switch {
	case err == nil:
		return nil
	case !isOver:
	case errors.Is(err, context.DeadlineExceeded):
		return failure(DeadlineExceeded, "deadline", "the call's time ran out")
	case errors.Is(err, context.Canceled):
		return failure(Cancelled, "cancelled", "the call was cancelled")
	}
	return asError(err)
}
