// A gRPC echo server and client on grpc-go; ../README.md says what both owe.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

const service = "evenkeel.test.Echo"

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("server or client?"))
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	delay := flags.Int("delay-ms", 0, "delay of each answer")
	switch os.Args[1] {
	case "server":
		port := flags.Int("port", 0, "port to serve on; 0 is a free one")
		names := flags.String("name", "", "what the answers bear; a server for each of several, by commas")
		parse(flags)
		if err := serve(*port, strings.Split(*names, ","), *delay); err != nil {
			fail(err)
		}
	case "client":
		work := work{}
		flags.StringVar(&work.target, "target", "", "host:port")
		flags.IntVar(&work.calls, "calls", 0, "calls to make")
		seconds := flags.Float64("seconds", 0, "time to call for, instead of --calls")
		flags.IntVar(&work.concurrency, "concurrency", 1, "calls in flight")
		deadline := flags.Int("deadline-ms", 10_000, "deadline of each call")
		flags.BoolVar(&work.kinds, "kinds", false, "also each kind of call once")
		parse(flags)
		work.delayMs = *delay
		work.period = time.Duration(*seconds * float64(time.Second))
		work.deadline = time.Duration(*deadline) * time.Millisecond
		if err := work.run(); err != nil {
			fail(err)
		}
	default:
		fail(fmt.Errorf("server or client, not %q", os.Args[1]))
	}
}

func parse(flags *flag.FlagSet) {
	if err := flags.Parse(os.Args[2:]); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(2)
}
