package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	coagent "github.com/coagent/coagent/clients/go"
)

const listedBytesMax = 1024

// value is a value of the runner, with what stands beside it.
type value struct {
	JSON        json.RawMessage `json:"json"`
	Text        *string         `json:"text"`
	Hex         *string         `json:"hex"`
	Repeat      byte            `json:"repeat"`
	Bytes       *int            `json:"bytes"`
	Type        *string         `json:"type"`
	ContentType string          `json:"content_type"`
	Ext         object          `json:"ext"`
}

// bare is the value without what stands beside it.
func (v *value) bare() (any, error) {
	switch {
	case v.JSON != nil:
		return v.JSON, nil
	case v.Text != nil:
		return *v.Text, nil
	case v.Hex != nil:
		return hex.DecodeString(*v.Hex)
	case v.Bytes != nil:
		return bytes.Repeat([]byte{v.Repeat}, *v.Bytes), nil
	}
	return nil, fmt.Errorf("no value")
}

// body is what an agent is called with: a plain value wherever one says it all.
func (v *value) body() (any, error) {
	if v == nil {
		return nil, nil
	}
	if v.Type == nil && v.ContentType == "" && v.Ext == nil {
		return v.bare()
	}
	return v.message()
}

// message is the value as a message, with what stands beside it.
func (v *value) message() (*coagent.Message, error) {
	bare, err := v.bare()
	if err != nil {
		return nil, err
	}
	message, err := coagent.NewMessage(bare)
	if err != nil {
		return nil, err
	}
	if v.Type != nil {
		message.Type = *v.Type
	}
	if v.ContentType != "" {
		message.ContentType = v.ContentType
	}
	message.Ext = v.Ext
	return message, nil
}

// messageJSON is a message that arrived.
func messageJSON(message *coagent.Message) (object, error) {
	if message.Err != nil {
		failed, ok := message.Err.(*coagent.Error)
		if !ok {
			return nil, message.Err
		}
		return object{"failed": object{"code": failed.Code, "reason": failed.Reason}}, nil
	}
	told := object{"content_type": message.ContentType}
	if message.Type != "" {
		told["type"] = message.Type
	}
	if len(message.Ext) > 0 {
		told["ext"] = message.Ext
	}
	switch content := message.Content; {
	case len(content) > listedBytesMax:
		told["bytes"], told["sha256"] = len(content), digest(content)
	case message.IsText():
		told["text"] = string(content)
	case len(content) > 0 && message.IsJSON():
		var decoded json.RawMessage
		if err := message.Decode(&decoded); err != nil {
			return nil, err
		}
		told["json"] = decoded
	default:
		told["hex"] = hex.EncodeToString(content)
	}
	return told, nil
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
