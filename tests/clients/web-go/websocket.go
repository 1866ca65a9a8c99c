package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	longest     = 16 << 20
	waitForSeen = 10 * time.Second
)

// The server's half.

// closes keeps how sessions of /watch ended, by their key.
type closes struct {
	lock sync.Mutex
	seen map[string]chan string
}

func (c *closes) of(key string) chan string {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.seen[key] == nil {
		c.seen[key] = make(chan string, 1)
	}
	return c.seen[key]
}

func webSocketPaths(mux *http.ServeMux) {
	closes := &closes{seen: map[string]chan string{}}
	session := func(path string, serve func(context.Context, *websocket.Conn, *http.Request) error) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			options := &websocket.AcceptOptions{
				Subprotocols:       []string{"b.echo"},
				InsecureSkipVerify: true,
				CompressionMode:    websocket.CompressionContextTakeover,
			}
			conn, err := websocket.Accept(w, r, options)
			if err != nil {
				return
			}
			defer conn.CloseNow()
			conn.SetReadLimit(longest)
			err = serve(r.Context(), conn, r)
			var closed websocket.CloseError
			if key := r.FormValue("key"); path == "/ws/watch" && errors.As(err, &closed) {
				closes.of(key) <- fmt.Sprintf("%d %s", closed.Code, closed.Reason)
			} else if path == "/ws/watch" {
				closes.of(key) <- "1006 "
			}
		})
	}
	session("/ws/echo", echoMessages)
	session("/ws/watch", echoMessages)
	session("/ws/fragments", answerTo(func(ctx context.Context, c *websocket.Conn, r *http.Request) error {
		writer, err := c.Writer(ctx, websocket.MessageText)
		if err != nil {
			return err
		}
		for _, part := range []string{"one ", "two ", "three"} {
			if _, err := io.WriteString(writer, part); err != nil {
				return err
			}
		}
		return writer.Close()
	}))
	session("/ws/ping", func(ctx context.Context, c *websocket.Conn, r *http.Request) error {
		if _, _, err := c.Read(ctx); err != nil {
			return err
		}
		// The pong is read by whoever reads messages.
		done := make(chan error, 1)
		go func() {
			err := c.Ping(ctx)
			if err == nil {
				err = c.Write(ctx, websocket.MessageText, []byte("ponged"))
			}
			done <- err
		}()
		err := echoMessages(ctx, c, r)
		return errors.Join(err, <-done)
	})
	session("/ws/close", answerTo(func(ctx context.Context, c *websocket.Conn, r *http.Request) error {
		code, err := strconv.Atoi(r.FormValue("code"))
		if err != nil {
			return err
		}
		return c.Close(websocket.StatusCode(code), r.FormValue("reason"))
	}))
	session("/ws/abort", answerTo(func(ctx context.Context, c *websocket.Conn, r *http.Request) error {
		return c.CloseNow()
	}))
	session("/ws/header", answerTo(func(ctx context.Context, c *websocket.Conn, r *http.Request) error {
		return c.Write(ctx, websocket.MessageText, []byte(r.Header.Get("X-Test")))
	}))
	session("/ws/seen", answerTo(func(ctx context.Context, c *websocket.Conn, r *http.Request) error {
		select {
		case seen := <-closes.of(r.FormValue("key")):
			return c.Write(ctx, websocket.MessageText, []byte(seen))
		case <-time.After(waitForSeen):
			return c.Write(ctx, websocket.MessageText, []byte("nothing"))
		}
	}))
	mux.HandleFunc("GET /ws/refuse", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no", http.StatusForbidden)
	})
}

func echoMessages(ctx context.Context, conn *websocket.Conn, _ *http.Request) error {
	for {
		kind, message, err := conn.Read(ctx)
		if err == nil {
			err = conn.Write(ctx, kind, message)
		}
		if err != nil {
			return err
		}
	}
}

type serving func(context.Context, *websocket.Conn, *http.Request) error

// answerTo waits for the first message, lets `answer` answer it, and serves as an echo from there.
func answerTo(answer serving) serving {
	return func(ctx context.Context, conn *websocket.Conn, r *http.Request) error {
		if _, _, err := conn.Read(ctx); err != nil {
			return err
		}
		if err := answer(ctx, conn, r); err != nil {
			return err
		}
		return echoMessages(ctx, conn, r)
	}
}

// The client's half.

type wsCase struct {
	name string
	run  func(*wsClient) error
}

type wsClient struct {
	target string
	ctx    context.Context
	saw    []string
}

func (c *wsClient) see(format string, values ...any) {
	c.saw = append(c.saw, fmt.Sprintf(format, values...))
}

func (c *wsClient) dial(path string, options *websocket.DialOptions) (*websocket.Conn, *http.Response, error) {
	conn, answer, err := websocket.Dial(c.ctx, c.target+path, options)
	if err == nil {
		conn.SetReadLimit(longest)
	}
	return conn, answer, err
}

func webSocketCases(target string) error {
	for _, one := range wsCases() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		client := &wsClient{target: target, ctx: ctx, saw: []string{}}
		if err := one.run(client); err != nil {
			client.see("failed: %v", err)
		}
		cancel()
		say(map[string]any{"case": one.name, "saw": client.saw})
	}
	return nil
}

func (c *wsClient) receive(conn *websocket.Conn) error {
	kind, message, err := conn.Read(c.ctx)
	if err != nil {
		return err
	}
	c.see("%s", shown(kind, message))
	return nil
}

func shown(kind websocket.MessageType, message []byte) string {
	sum := sha256.Sum256(message)
	name := "text"
	if kind == websocket.MessageBinary {
		name = "binary"
	}
	if kind == websocket.MessageText && len(message) <= 100 {
		return name + ":" + string(message)
	}
	return fmt.Sprintf("%s:%d:%s", name, len(message), hex.EncodeToString(sum[:4]))
}

// exchange opens a session, sends the messages one after the other, and sees what comes back for each.
func exchange(path string, kind websocket.MessageType, messages ...[]byte) func(*wsClient) error {
	return func(c *wsClient) error {
		conn, _, err := c.dial(path, nil)
		if err != nil {
			return err
		}
		defer conn.CloseNow()
		for _, message := range messages {
			if err := conn.Write(c.ctx, kind, message); err != nil {
				return err
			}
			if err := c.receive(conn); err != nil {
				return err
			}
		}
		return nil
	}
}

func pattern(length int) []byte {
	bytes := make([]byte, length)
	for place := range bytes {
		bytes[place] = byte(place % 251)
	}
	return bytes
}

func wsCases() []wsCase {
	texts := func(path string, texts ...string) func(*wsClient) error {
		messages := make([][]byte, len(texts))
		for place, text := range texts {
			messages[place] = []byte(text)
		}
		return exchange(path, websocket.MessageText, messages...)
	}
	cases := []wsCase{
		{"text", texts("/ws/echo", "hello", "κόσμε 🚀")},
		{"binary", exchange("/ws/echo", websocket.MessageBinary, pattern(1000))},
		{"empty_text", texts("/ws/echo", "")},
		{"empty_binary", exchange("/ws/echo", websocket.MessageBinary, []byte{})},
		{"large_binary", exchange("/ws/echo", websocket.MessageBinary, pattern(1<<20))},
		{"large_text", texts("/ws/echo", strings.Repeat("0123456789abcdef", 1<<16))},
		{"many", manyMessages},
		{"fragmented", fragmented},
		{"answered_in_fragments", texts("/ws/fragments", "go")},
		{"ping", ping},
		{"pinged", texts("/ws/ping", "go")},
		{"header", header},
		{"subprotocol", subprotocol},
		{"deflate", deflate},
		{"server_aborts", serverCloses("/ws/abort")},
		{"client_aborts", clientCloses(func(c *wsClient, conn *websocket.Conn) error { return conn.CloseNow() })},
		{"refused", refused},
	}
	for _, code := range []int{1000, 1001, 3000, 4999} {
		path := fmt.Sprintf("/ws/close?code=%d&reason=because+%d", code, code)
		cases = append(cases, wsCase{fmt.Sprintf("server_closes_%d", code), serverCloses(path)})
		reason := fmt.Sprintf("since %d", code)
		cases = append(cases, wsCase{fmt.Sprintf("client_closes_%d", code),
			clientCloses(func(c *wsClient, conn *websocket.Conn) error {
				return conn.Close(websocket.StatusCode(code), reason)
			})})
	}
	return cases
}

func manyMessages(c *wsClient) error {
	conn, _, err := c.dial("/ws/echo", nil)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	const many = 500
	go func() {
		for number := range many {
			conn.Write(c.ctx, websocket.MessageText, []byte(strconv.Itoa(number)))
		}
	}()
	for number := range many {
		_, message, err := conn.Read(c.ctx)
		if err != nil {
			return err
		}
		if string(message) != strconv.Itoa(number) {
			return fmt.Errorf("message %d is %q", number, message)
		}
	}
	c.see("in order:%d", many)
	return nil
}

func fragmented(c *wsClient) error {
	conn, _, err := c.dial("/ws/echo", nil)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	writer, err := conn.Writer(c.ctx, websocket.MessageText)
	if err != nil {
		return err
	}
	for _, part := range []string{"a", "b", "c"} {
		if _, err := io.WriteString(writer, part); err != nil {
			return err
		}
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return c.receive(conn)
}

func ping(c *wsClient) error {
	conn, _, err := c.dial("/ws/echo", nil)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	// Messages are read beside it, which is what lets a pong in.
	closed := conn.CloseRead(c.ctx)
	if err := conn.Ping(closed); err != nil {
		return err
	}
	c.see("pong")
	return nil
}

func header(c *wsClient) error {
	options := &websocket.DialOptions{HTTPHeader: http.Header{"X-Test": {"a value"}}}
	conn, _, err := c.dial("/ws/header", options)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	if err := conn.Write(c.ctx, websocket.MessageText, []byte("go")); err != nil {
		return err
	}
	return c.receive(conn)
}

func subprotocol(c *wsClient) error {
	conn, _, err := c.dial("/ws/echo", &websocket.DialOptions{Subprotocols: []string{"a.unknown", "b.echo"}})
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	c.see("protocol:%s", conn.Subprotocol())
	return nil
}

func deflate(c *wsClient) error {
	conn, answer, err := c.dial("/ws/echo",
		&websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	agreed := strings.HasPrefix(answer.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate")
	c.see("deflate:%v", agreed)
	for range 2 {
		message := []byte(strings.Repeat("compress me ", 10_000))
		if err := conn.Write(c.ctx, websocket.MessageText, message); err != nil {
			return err
		}
		if err := c.receive(conn); err != nil {
			return err
		}
	}
	return nil
}

func (c *wsClient) seeEnd(conn *websocket.Conn) {
	_, _, err := conn.Read(c.ctx)
	var closed websocket.CloseError
	if errors.As(err, &closed) {
		c.see("closed:%d:%s", closed.Code, closed.Reason)
	} else {
		c.see("closed:1006:")
	}
}

func serverCloses(path string) func(*wsClient) error {
	return func(c *wsClient) error {
		conn, _, err := c.dial(path, nil)
		if err != nil {
			return err
		}
		defer conn.CloseNow()
		if err := conn.Write(c.ctx, websocket.MessageText, []byte("go")); err != nil {
			return err
		}
		c.seeEnd(conn)
		return nil
	}
}

// clientCloses ends a session that the server watches, and asks the server what it saw of that.
func clientCloses(end func(*wsClient, *websocket.Conn) error) func(*wsClient) error {
	return func(c *wsClient) error {
		key := rand.Text()
		conn, _, err := c.dial("/ws/watch?key="+key, nil)
		if err != nil {
			return err
		}
		defer conn.CloseNow()
		if err := conn.Write(c.ctx, websocket.MessageText, []byte("first")); err != nil {
			return err
		}
		if err := c.receive(conn); err != nil {
			return err
		}
		if err := end(c, conn); err != nil {
			return err
		}
		return exchange("/ws/seen?key="+key, websocket.MessageText, []byte("go"))(c)
	}
}

func refused(c *wsClient) error {
	conn, answer, err := c.dial("/ws/refuse", nil)
	if err == nil {
		conn.CloseNow()
		return errors.New("not refused")
	}
	if answer == nil {
		return err
	}
	c.see("status:%d", answer.StatusCode)
	return nil
}
