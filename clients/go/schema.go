package coagent

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

// schema is a JSON Schema.
type schema = map[string]any

var (
	marshalerType     = reflect.TypeFor[json.Marshaler]()
	textMarshalerType = reflect.TypeFor[encoding.TextMarshaler]()
	timeType          = reflect.TypeFor[time.Time]()
	bytesType         = reflect.TypeFor[[]byte]()
	messageType       = reflect.TypeFor[Message]()
	// What an agent answers with in place of messages of its own.
	repliesTypes = map[reflect.Type]bool{
		reflect.TypeFor[Delegated](): true, reflect.TypeFor[Unordered](): true,
		reflect.TypeFor[Reply](): true, reflect.TypeFor[Exchange](): true,
	}
)

// schemaOf is the JSON Schema of what a type is as a message; nil for one that is no message.
func schemaOf(t reflect.Type) schema {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == messageType || repliesTypes[t]:
		return schema{}
	case t == bytesType:
		return schema{"type": "string", "contentMediaType": Bytes}
	case t.Kind() == reflect.Struct && t.NumField() == 0:
		return nil
	}
	maker := schemaMaker{defs: schema{}, top: t}
	out := maker.schema(t, true)
	if len(maker.defs) > 0 {
		out["$defs"] = maker.defs
	}
	return out
}

type schemaMaker struct {
	defs schema
	top  reflect.Type
}

func (m *schemaMaker) schema(t reflect.Type, isTop bool) schema {
	if t == timeType {
		return schema{"type": "string", "format": "date-time"}
	}
	if t == numberType {
		return schema{"type": "number"}
	}
	if reflect.PointerTo(t).Implements(marshalerType) {
		return schema{} // Whatever it makes of itself.
	}
	if reflect.PointerTo(t).Implements(textMarshalerType) {
		return schema{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return schema{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return schema{"type": "integer", "minimum": 0}
	case reflect.Float32, reflect.Float64:
		return schema{"type": "number"}
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Pointer:
		return m.schema(t.Elem(), isTop)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return schema{"type": "string", "contentEncoding": "base64"}
		}
		return schema{"type": "array", "items": m.schema(t.Elem(), false)}
	case reflect.Array:
		return schema{"type": "array", "items": m.schema(t.Elem(), false),
			"minItems": t.Len(), "maxItems": t.Len()}
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": m.schema(t.Elem(), false)}
	case reflect.Struct:
		return m.record(t, isTop)
	}
	return schema{}
}

// record is the schema of a struct. Below the top a named one stands among the definitions, so that
// a type may hold itself.
func (m *schemaMaker) record(t reflect.Type, isTop bool) schema {
	name := structName(t)
	if t == m.top && !isTop {
		return schema{"$ref": "#"}
	}
	if !isTop && name != "" {
		if _, isThere := m.defs[name]; !isThere {
			m.defs[name] = schema{}
			m.defs[name] = m.properties(t)
		}
		return schema{"$ref": "#/$defs/" + name}
	}
	return m.properties(t)
}

func (m *schemaMaker) properties(t reflect.Type) schema {
	properties, required := schema{}, []string{}
	for _, field := range jsonFields(t) {
		each := m.schema(field.kind, false)
		if field.isQuoted {
			each = schema{"type": "string"}
		}
		if field.description != "" {
			each["description"] = field.description
		}
		properties[field.name] = each
		if field.isRequired {
			required = append(required, field.name)
		}
	}
	out := schema{"type": "object", "properties": properties}
	if name := structName(t); name != "" {
		out["title"] = name
	}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// jsonField is a field of a struct as encoding/json has it.
type jsonField struct {
	name        string
	description string
	kind        reflect.Type
	index       []int
	isQuoted    bool
	isRequired  bool
}

// jsonFields are the fields of a struct, those of embedded ones among them. A field is required
// unless it is a pointer or its tag says `omitempty` or `omitzero`.
func jsonFields(t reflect.Type) []jsonField {
	var fields []jsonField
	for _, field := range reflect.VisibleFields(t) {
		tag := field.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		if tag == "-" || !field.IsExported() || (field.Anonymous && name == "" && isStruct(field.Type)) {
			continue
		}
		if name == "" {
			name = field.Name
		}
		fields = append(fields, jsonField{
			name:        name,
			description: field.Tag.Get("description"),
			kind:        field.Type,
			index:       field.Index,
			isQuoted:    strings.Contains(","+options+",", ",string,"),
			isRequired:  field.Type.Kind() != reflect.Pointer && !strings.Contains(options, "omit"),
		})
	}
	return fields
}

func isStruct(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct
}
