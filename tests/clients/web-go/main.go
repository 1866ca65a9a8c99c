// An HTTP, WebSocket and event stream server, an HTTP client and a WebSocket client on Go's own net/http and
// coder/websocket; ../WEB.md says what each owes.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("server, http or websocket?"))
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	var run func() error
	switch os.Args[1] {
	case "server":
		server := server{}
		names := flags.String("name", "", "what the answers bear; a server for each of several, by commas")
		flags.BoolVar(&server.h2c, "h2c", false, "speak HTTP/2 alone, by prior knowledge")
		flags.StringVar(&server.certificate, "cert", "", "certificate, with --key: serve TLS")
		flags.StringVar(&server.key, "key", "", "its key")
		run = func() error { return server.serve(strings.Split(*names, ",")) }
	case "http":
		work := httpWork{}
		flags.StringVar(&work.target, "target", "", "http://host:port")
		flags.IntVar(&work.requests, "requests", 0, "requests to make, one after the other")
		flags.BoolVar(&work.kinds, "kinds", false, "also each kind of exchange once")
		run = func() error { return work.run() }
	case "websocket":
		target := flags.String("target", "", "ws://host:port")
		run = func() error { return webSocketCases(*target) }
	default:
		fail(fmt.Errorf("server, http or websocket, not %q", os.Args[1]))
	}
	if err := flags.Parse(os.Args[2:]); err != nil {
		fail(err)
	}
	if err := run(); err != nil {
		fail(err)
	}
}

func say(value any) {
	line, err := json.Marshal(value)
	if err != nil {
		fail(err)
	}
	fmt.Println(string(line))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(2)
}
