package coagent

import (
	"encoding/json"
	"reflect"
	"strings"
)

// missingIn tells what encoding/json does not: that a required field of the type, at any depth, is
// absent from the JSON or null.
func missingIn(content []byte, t reflect.Type) error {
	if path := missingPath(content, t); path != "" {
		return failure(InvalidArgument, "bad_content", "%s is missing", strings.TrimPrefix(path, "."))
	}
	return nil
}

// missingPath is where the first missing field should be, or "". The JSON is valid.
func missingPath(content []byte, t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if !hasRequired(t, nil) {
		return ""
	}
	switch t.Kind() {
	case reflect.Struct:
		return missingField(content, t)
	case reflect.Slice, reflect.Array:
		var items []json.RawMessage
		_ = json.Unmarshal(content, &items)
		for _, item := range items {
			if path := missingPath(item, t.Elem()); path != "" {
				return "[]" + path
			}
		}
	case reflect.Map:
		var members map[string]json.RawMessage
		_ = json.Unmarshal(content, &members)
		for key, member := range members {
			if path := missingPath(member, t.Elem()); path != "" {
				return "." + key + path
			}
		}
	}
	return ""
}

func missingField(content []byte, t reflect.Type) string {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(content, &members)
	if members == nil {
		return "" // Null, where a pointer takes it.
	}
	for _, field := range jsonFields(t) {
		member, isThere := members[field.name]
		if !isThere {
			member, isThere = folded(members, field.name)
		}
		if field.isRequired && (!isThere || (string(member) == "null" && !takesNull(field.kind))) {
			return "." + field.name
		}
		if isThere {
			if path := missingPath(member, field.kind); path != "" {
				return "." + field.name + path
			}
		}
	}
	return ""
}

// folded finds a member whose name differs in case, as encoding/json does.
func folded(members map[string]json.RawMessage, name string) (json.RawMessage, bool) {
	for key, member := range members {
		if strings.EqualFold(key, name) {
			return member, true
		}
	}
	return nil, false
}

// hasRequired tells whether a value of the type can lack a required field.
func hasRequired(t reflect.Type, above []reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(unmarshalerType) {
		return false
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		return hasRequired(t.Elem(), above)
	case reflect.Struct:
		for _, each := range above {
			if each == t {
				return false
			}
		}
		above = append(above, t)
		for _, field := range jsonFields(t) {
			if field.isRequired || hasRequired(field.kind, above) {
				return true
			}
		}
	}
	return false
}
