package main

import "fmt"

// rawBytes is the codec of messages that are bytes and nothing else.
type rawBytes struct{}

func (rawBytes) Marshal(message any) ([]byte, error) {
	if message, ok := message.(*[]byte); ok {
		return *message, nil
	}
	return nil, fmt.Errorf("not bytes: %T", message)
}

func (rawBytes) Unmarshal(data []byte, message any) error {
	into, ok := message.(*[]byte)
	if !ok {
		return fmt.Errorf("not bytes: %T", message)
	}
	*into = append((*into)[:0], data...)
	return nil
}

func (rawBytes) Name() string { return "proto" }
