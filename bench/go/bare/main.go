// Command bare is a bare pair: the least Go that can call and host over the protocol.
//
//	bare host   --url unix:/path [--relay PAIR]
//	bare caller --url unix:/path [--relay PAIR] --depth 64 --size 16 --seconds 1
//	bare caller --url unix:/path --parts 20000 --seconds 1
//
// No reconnecting, no deadlines, no cancelling, no types: what a client library is held against.
// With --relay the two speak the same frames through the raw relay, without hello and register.
package main

import (
	"fmt"
	"log"

	"github.com/coagent/coagent/bench/go/measuring"
)

const (
	frameCost = 256
	window    = 1024 * 1024
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	arguments, err := measuring.ReadArguments()
	if err != nil {
		return err
	}
	role := 0
	if arguments.Role == "host" {
		role = 1
	}
	connection, err := connect(arguments, role)
	if err != nil {
		return err
	}
	if role == 1 {
		return (&bareHost{connection: connection, streams: map[int64]*stream{}}).run(arguments)
	}
	return newCaller(connection, arguments).run()
}

func unexpected(h header) error {
	return fmt.Errorf("unexpected: %+v", h)
}
