package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// events is an event stream that a test steers from another port: what it sends goes to every open stream at once.
type events struct {
	lock   sync.Mutex
	opened []string
	open   map[chan []byte]struct{}
}

func newEvents() *events {
	return &events{opened: []string{}, open: map[chan []byte]struct{}{}}
}

func (e *events) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	stream := make(chan []byte, 64)
	e.lock.Lock()
	e.open[stream] = struct{}{}
	e.opened = append(e.opened, r.Header.Get("Last-Event-ID"))
	e.lock.Unlock()
	defer func() {
		e.lock.Lock()
		delete(e.open, stream)
		e.lock.Unlock()
	}()
	for {
		select {
		case bytes, more := <-stream:
			if !more {
				return
			}
			w.Write(bytes)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// steering answers the test: /send gives its body to the open streams, /drop ends them, /opened says with which Last-Event-ID
// each was opened, /open how many are.
func (e *events) steering() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /send", func(w http.ResponseWriter, r *http.Request) {
		bytes, _ := io.ReadAll(r.Body)
		e.lock.Lock()
		defer e.lock.Unlock()
		for stream := range e.open {
			stream <- bytes
		}
	})
	mux.HandleFunc("POST /drop", func(w http.ResponseWriter, r *http.Request) {
		e.lock.Lock()
		defer e.lock.Unlock()
		for stream := range e.open {
			close(stream)
			delete(e.open, stream)
		}
	})
	mux.HandleFunc("GET /opened", func(w http.ResponseWriter, r *http.Request) {
		e.lock.Lock()
		defer e.lock.Unlock()
		json.NewEncoder(w).Encode(e.opened)
	})
	mux.HandleFunc("GET /open", func(w http.ResponseWriter, r *http.Request) {
		e.lock.Lock()
		defer e.lock.Unlock()
		io.WriteString(w, strconv.Itoa(len(e.open)))
	})
	return mux
}
