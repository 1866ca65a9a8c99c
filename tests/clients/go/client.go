package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// work is what the command line asks of the client.
type work struct {
	target      string
	calls       int
	period      time.Duration
	concurrency int
	delayMs     int
	deadline    time.Duration
	kinds       bool
}

type report struct {
	Calls         int               `json:"calls"`
	Errors        int               `json:"errors"`
	ErrorCodes    map[string]int    `json:"error_codes"`
	PerBackend    map[string]int    `json:"per_backend"`
	P50           int64             `json:"p50_us"`
	P99           int64             `json:"p99_us"`
	P99PerBackend map[string]int64  `json:"p99_us_per_backend"`
	Kinds         map[string]string `json:"kinds,omitempty"`
}

func (w work) run() error {
	channel, err := grpc.NewClient("passthrough:///"+w.target,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawBytes{})))
	if err != nil {
		return err
	}
	defer channel.Close()
	if err := w.connect(channel); err != nil {
		return err
	}
	load := load{work: w, channel: channel, codes: map[string]int{}, micros: map[string][]int64{}}
	load.run()
	report := load.report()
	if w.kinds {
		report.Kinds = eachKind(channel, w.deadline)
	}
	return json.NewEncoder(os.Stdout).Encode(report)
}

func (w work) connect(channel *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(context.Background(), w.deadline)
	defer cancel()
	for channel.Connect(); ; {
		state := channel.GetState()
		if state == connectivity.Ready {
			return nil
		}
		if !channel.WaitForStateChange(ctx, state) {
			return fmt.Errorf("nothing answers at %s", w.target)
		}
	}
}

// load is unary calls on one channel, a fixed number in flight.
type load struct {
	work
	channel *grpc.ClientConn
	until   time.Time

	mutex   sync.Mutex
	stopped bool
	made    int
	codes   map[string]int
	micros  map[string][]int64
}

func (l *load) run() {
	l.until = time.Now().Add(l.period)
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	go func() {
		<-terminate
		l.mutex.Lock()
		defer l.mutex.Unlock()
		l.stopped = true
	}()
	var lanes sync.WaitGroup
	for range l.concurrency {
		lanes.Go(func() {
			for number, ok := l.another(); ok; number, ok = l.another() {
				l.one(fmt.Appendf(nil, "go-%d", number))
			}
		})
	}
	lanes.Wait()
}

func (l *load) another() (int, bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.stopped || l.period > 0 && !time.Now().Before(l.until) || l.period == 0 && l.made >= l.calls {
		return 0, false
	}
	l.made++
	return l.made, true
}

func (l *load) one(payload []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), l.deadline)
	defer cancel()
	if l.delayMs > 0 {
		ctx = metadata.AppendToOutgoingContext(ctx, "x-delay-ms", strconv.Itoa(l.delayMs))
	}
	var header, trailer metadata.MD
	answer := []byte{}
	start := time.Now()
	err := l.channel.Invoke(ctx, "/"+service+"/Unary", &payload, &answer, grpc.Header(&header), grpc.Trailer(&trailer))
	took := time.Since(start).Microseconds()

	l.mutex.Lock()
	defer l.mutex.Unlock()
	if err != nil {
		l.codes[codeName(status.Code(err))]++
		return
	}
	backend, err := backendOf(header, trailer)
	if err != nil || string(answer) != string(payload) {
		l.codes["MISMATCH"]++
		return
	}
	l.micros[backend] = append(l.micros[backend], took)
}

func backendOf(header, trailer metadata.MD) (string, error) {
	first, last := header.Get("x-backend"), trailer.Get("x-backend-trailer")
	if len(first) != 1 || !slices.Equal(first, last) {
		return "", fmt.Errorf("header %q, trailer %q", first, last)
	}
	return first[0], nil
}

func (l *load) report() report {
	report := report{Calls: l.made, ErrorCodes: l.codes, PerBackend: map[string]int{}, P99PerBackend: map[string]int64{}}
	for _, count := range l.codes {
		report.Errors += count
	}
	var every []int64
	for name, micros := range l.micros {
		report.PerBackend[name] = len(micros)
		report.P99PerBackend[name] = quantile(micros, 0.99)
		every = append(every, micros...)
	}
	report.P50, report.P99 = quantile(every, 0.50), quantile(every, 0.99)
	return report
}

func quantile(values []int64, share float64) int64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*share))]
}
