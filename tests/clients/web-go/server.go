package main

import (
	"crypto/tls"
	_ "embed"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

//go:embed page.html
var page string

type server struct {
	h2c              bool
	certificate, key string
}

// serve has a server for each name on a port of its own, all in this process, and one more that steers the events.
func (s server) serve(names []string) error {
	events := newEvents()
	failed := make(chan error, 1)
	for _, name := range names {
		listener, err := listen(s.certificate, s.key)
		if err != nil {
			return err
		}
		protocols := new(http.Protocols)
		protocols.SetHTTP1(!s.h2c)
		protocols.SetUnencryptedHTTP2(s.h2c)
		protocols.SetHTTP2(s.certificate != "")
		serving := &http.Server{Handler: handler(name, events), Protocols: protocols}
		if s.certificate != "" {
			go func() { failed <- serving.ServeTLS(listener, s.certificate, s.key) }()
		} else {
			go func() { failed <- serving.Serve(listener) }()
		}
		fmt.Println("READY", listener.Addr().(*net.TCPAddr).Port)
	}
	steering, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { failed <- http.Serve(steering, events.steering()) }()
	fmt.Println("STEER", steering.Addr().(*net.TCPAddr).Port)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	select {
	case err := <-failed:
		return err
	case <-stop:
		return nil
	}
}

func listen(certificate, key string) (net.Listener, error) {
	if certificate != "" {
		if _, err := tls.LoadX509KeyPair(certificate, key); err != nil {
			return nil, err
		}
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

func handler(name string, events *events) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		text(w, name+"\n")
	})
	mux.HandleFunc("POST /echo", echo)
	mux.HandleFunc("GET /trailers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		for _, part := range []string{"part one\n", "part two\n"} {
			io.WriteString(w, part)
			w.(http.Flusher).Flush()
		}
		w.Header().Set("X-Sum", "42")
	})
	mux.HandleFunc("GET /status/{code}", func(w http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.PathValue("code"))
		if err != nil || code < 200 || code > 599 {
			code = http.StatusBadRequest
		}
		w.Header().Set("ETag", `"the-tag"`)
		w.WriteHeader(code)
	})
	mux.HandleFunc("GET /hints", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		text(w, "hinted\n")
	})
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, page)
	})
	mux.Handle("GET /events", events)
	webSocketPaths(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Backend", name)
		w.Header().Set("X-Protocol", r.Proto)
		mux.ServeHTTP(w, r)
	})
}

func text(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	io.WriteString(w, body)
}

// echo answers with the body, framed as it came, and with the trailer X-Sum as X-Sum-Back.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Length", strconv.FormatInt(r.ContentLength, 10))
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if r.ContentLength >= 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	} else {
		w.Header().Set("Trailer", "X-Sum-Back")
		defer func() { w.Header().Set("X-Sum-Back", r.Trailer.Get("X-Sum")) }()
	}
	w.Write(body)
	if r.ContentLength < 0 {
		w.(http.Flusher).Flush()
	}
}
