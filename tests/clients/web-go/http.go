package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"time"
)

type httpWork struct {
	target   string
	requests int
	kinds    bool
	client   *http.Client
}

type report struct {
	Requests   int               `json:"requests"`
	Errors     int               `json:"errors"`
	FirstError string            `json:"first_error"`
	PerBackend map[string]int    `json:"per_backend"`
	Protocols  map[string]int    `json:"protocols"`
	Kinds      map[string]string `json:"kinds"`
}

const large = 4 << 20

// run makes the requests one after the other over one connection, every second one with a body, and reports.
func (w httpWork) run() error {
	w.client = &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	report := report{PerBackend: map[string]int{}, Protocols: map[string]int{}, Kinds: map[string]string{}}
	for number := range w.requests {
		if backend, protocol, err := w.one(number); err == nil {
			report.PerBackend[backend]++
			report.Protocols[protocol]++
		} else {
			report.Errors++
			if report.FirstError == "" {
				report.FirstError = err.Error()
			}
		}
		report.Requests++
	}
	if w.kinds {
		for name, kind := range map[string]func(httpWork) error{
			"head": head, "echo": echoed, "large": largeBothWays, "no_content": noContent, "not_modified": notModified,
			"chunked": chunked, "trailers": trailers, "continue": continued, "early_hints": earlyHints,
		} {
			report.Kinds[name] = verdict(kind(w))
		}
	}
	say(report)
	return nil
}

func verdict(err error) string {
	if err != nil {
		return "failed: " + err.Error()
	}
	return "ok"
}

func (w httpWork) one(number int) (string, string, error) {
	if number%2 == 0 {
		answer, body, err := w.ask("GET", "/", nil)
		if err == nil && string(body) != answer.Header.Get("X-Backend")+"\n" {
			err = fmt.Errorf("wrong body: %q", body)
		}
		return from(answer, err)
	}
	sent := []byte(fmt.Sprintf("request %d ", number) + strings.Repeat("x", number%200))
	answer, body, err := w.ask("POST", "/echo", bytes.NewReader(sent))
	if err == nil && !bytes.Equal(body, sent) {
		err = fmt.Errorf("wrong echo: %q", body)
	}
	return from(answer, err)
}

func from(answer *http.Response, err error) (string, string, error) {
	if err != nil {
		return "", "", err
	}
	return answer.Header.Get("X-Backend"), answer.Header.Get("X-Protocol"), nil
}

func (w httpWork) ask(method, path string, body io.Reader) (*http.Response, []byte, error) {
	request, err := http.NewRequest(method, w.target+path, body)
	if err != nil {
		return nil, nil, err
	}
	return w.send(request, http.StatusOK)
}

func (w httpWork) send(request *http.Request, status int) (*http.Response, []byte, error) {
	answer, err := w.client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != status {
		err = fmt.Errorf("status %d: %s", answer.StatusCode, body)
	}
	return answer, body, err
}

func head(w httpWork) error {
	answer, body, err := w.ask("HEAD", "/", nil)
	if err == nil && (answer.ContentLength <= 0 || len(body) != 0) {
		err = fmt.Errorf("length %d, %d bytes of body", answer.ContentLength, len(body))
	}
	return err
}

func echoed(w httpWork) error {
	return w.same(bytes.NewReader([]byte("a body")), []byte("a body"), "6")
}

func largeBothWays(w httpWork) error {
	sent := make([]byte, large)
	for place := range sent {
		sent[place] = byte(place % 251)
	}
	return w.same(bytes.NewReader(sent), sent, fmt.Sprint(large))
}

func (w httpWork) same(body io.Reader, wanted []byte, length string) error {
	answer, got, err := w.ask("POST", "/echo", body)
	if err == nil && !bytes.Equal(got, wanted) {
		err = fmt.Errorf("%d bytes came back, not the same", len(got))
	}
	if err == nil && answer.Header.Get("X-Length") != length {
		err = fmt.Errorf("arrived with length %s", answer.Header.Get("X-Length"))
	}
	return err
}

func chunked(w httpWork) error {
	// A reader whose length nobody knows.
	return w.same(io.MultiReader(strings.NewReader("one "), strings.NewReader("two")), []byte("one two"), "-1")
}

func status(w httpWork, status int) error {
	request, err := http.NewRequest("GET", fmt.Sprintf("%s/status/%d", w.target, status), nil)
	if err != nil {
		return err
	}
	answer, body, err := w.send(request, status)
	if err == nil && (len(body) != 0 || answer.Header.Get("ETag") != `"the-tag"`) {
		err = fmt.Errorf("%d bytes of body, tag %s", len(body), answer.Header.Get("ETag"))
	}
	return err
}

func noContent(w httpWork) error   { return status(w, http.StatusNoContent) }
func notModified(w httpWork) error { return status(w, http.StatusNotModified) }

func trailers(w httpWork) error {
	answer, body, err := w.ask("GET", "/trailers", nil)
	if err != nil {
		return err
	}
	if string(body) != "part one\npart two\n" || answer.Trailer.Get("X-Sum") != "42" {
		return fmt.Errorf("body %q, trailer %q", body, answer.Trailer)
	}
	request, err := http.NewRequest("POST", w.target+"/echo", io.MultiReader(strings.NewReader("summed")))
	if err != nil {
		return err
	}
	request.Trailer = http.Header{"X-Sum": {"seven"}}
	answer, body, err = w.send(request, http.StatusOK)
	if err == nil && (string(body) != "summed" || answer.Trailer.Get("X-Sum-Back") != "seven") {
		err = fmt.Errorf("body %q, trailer back %q", body, answer.Trailer)
	}
	return err
}

func continued(w httpWork) error {
	told := false
	trace := &httptrace.ClientTrace{Got100Continue: func() { told = true }}
	context := httptrace.WithClientTrace(context.Background(), trace)
	request, err := http.NewRequestWithContext(context, "POST", w.target+"/echo", strings.NewReader("asked first"))
	if err != nil {
		return err
	}
	request.Header.Set("Expect", "100-continue")
	// The transport waits for the word; without this it would send the body at once.
	w.client.Transport.(*http.Transport).ExpectContinueTimeout = 10 * time.Second
	_, body, err := w.send(request, http.StatusOK)
	if err == nil && (!told || string(body) != "asked first") {
		err = fmt.Errorf("told to continue: %v, body %q", told, body)
	}
	return err
}

func earlyHints(w httpWork) error {
	link := ""
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
		if code != http.StatusEarlyHints {
			return errors.New("an interim answer that nobody sent")
		}
		link = header.Get("Link")
		return nil
	}}
	request, err := http.NewRequestWithContext(
		httptrace.WithClientTrace(context.Background(), trace), "GET", w.target+"/hints", nil)
	if err != nil {
		return err
	}
	_, body, err := w.send(request, http.StatusOK)
	if err == nil && (string(body) != "hinted\n" || link == "") {
		err = fmt.Errorf("body %q, link %q", body, link)
	}
	return err
}
