package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

var codeNames = []string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
	"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
	"UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}

func codeName(code codes.Code) string {
	if int(code) < len(codeNames) {
		return codeNames[code]
	}
	return code.String()
}

type kind func(context.Context, *grpc.ClientConn) error

// eachKind runs each kind of call once.
func eachKind(channel *grpc.ClientConn, deadline time.Duration) map[string]string {
	kinds := map[string]kind{
		"unary": unaryKind, "server_stream": serverStreamKind, "client_stream": clientStreamKind, "bidi": bidiKind,
		"metadata": metadataKind, "status": statusKind, "details": detailsKind, "trailers_only": trailersOnlyKind,
		"large": largeKind, "gzip": gzipKind, "deadline": deadlineKind, "cancel": cancelKind,
	}
	done := map[string]string{}
	for name, run := range kinds {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		if err := run(ctx, channel); err != nil {
			done[name] = "failed: " + err.Error()
		} else {
			done[name] = "ok"
		}
		cancel()
	}
	return done
}

func unaryKind(ctx context.Context, channel *grpc.ClientConn) error {
	var header, trailer metadata.MD
	request, answer := []byte("one"), []byte{}
	err := channel.Invoke(ctx, "/"+service+"/Unary", &request, &answer, grpc.Header(&header), grpc.Trailer(&trailer))
	if err != nil {
		return err
	}
	if string(answer) != "one" {
		return fmt.Errorf("answer %q", answer)
	}
	_, err = backendOf(header, trailer)
	return err
}

func open(
	ctx context.Context, channel *grpc.ClientConn, method string, more ...grpc.CallOption,
) (grpc.ClientStream, error) {
	both := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	return channel.NewStream(ctx, both, "/"+service+"/"+method, more...)
}

func send(stream grpc.ClientStream, messages ...string) error {
	for _, message := range messages {
		message := []byte(message)
		if err := stream.SendMsg(&message); err != nil {
			return err
		}
	}
	return nil
}

func wantNext(stream grpc.ClientStream, wanted string) error {
	answer := []byte{}
	if err := stream.RecvMsg(&answer); err != nil {
		return err
	}
	if string(answer) != wanted {
		return fmt.Errorf("an answer of %d bytes instead of %d, or another one", len(answer), len(wanted))
	}
	return nil
}

func wantEnd(stream grpc.ClientStream) error {
	if err := stream.RecvMsg(new([]byte)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("no end: %w", err)
	}
	header, err := stream.Header()
	if err != nil {
		return err
	}
	_, err = backendOf(header, stream.Trailer())
	return err
}

func serverStreamKind(ctx context.Context, channel *grpc.ClientConn) error {
	stream, err := open(metadata.AppendToOutgoingContext(ctx, "x-count", "7"), channel, "ServerStream")
	if err != nil {
		return err
	}
	if err := errors.Join(send(stream, "many"), stream.CloseSend()); err != nil {
		return err
	}
	for range 7 {
		if err := wantNext(stream, "many"); err != nil {
			return err
		}
	}
	return wantEnd(stream)
}

func clientStreamKind(ctx context.Context, channel *grpc.ClientConn) error {
	stream, err := open(ctx, channel, "ClientStream")
	if err != nil {
		return err
	}
	if err := errors.Join(send(stream, "a", "", "bc"), stream.CloseSend()); err != nil {
		return err
	}
	if err := wantNext(stream, "abc"); err != nil {
		return err
	}
	return wantEnd(stream)
}

func bidiKind(ctx context.Context, channel *grpc.ClientConn) error {
	return eachEchoed(ctx, channel, []string{"ping", "", string(bytes.Repeat([]byte("x"), 70_000))})
}

func gzipKind(ctx context.Context, channel *grpc.ClientConn) error {
	ctx = metadata.AppendToOutgoingContext(ctx, "x-gzip", "1")
	messages := []string{string(bytes.Repeat([]byte("z"), 100_000)), "plain"}
	return eachEchoed(ctx, channel, messages, grpc.UseCompressor(gzip.Name))
}

// eachEchoed sends each message once the one before has come back.
func eachEchoed(ctx context.Context, channel *grpc.ClientConn, messages []string, more ...grpc.CallOption) error {
	stream, err := open(ctx, channel, "Bidi", more...)
	if err != nil {
		return err
	}
	for _, message := range messages {
		if err := send(stream, message); err != nil {
			return err
		}
		if err := wantNext(stream, message); err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	return wantEnd(stream)
}

func metadataKind(ctx context.Context, channel *grpc.ClientConn) error {
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "x-echo", "some text", "x-echo-bin", string(binary))
	var trailer metadata.MD
	request, answer := []byte("m"), []byte{}
	if err := channel.Invoke(ctx, "/"+service+"/Unary", &request, &answer, grpc.Trailer(&trailer)); err != nil {
		return err
	}
	if got := trailer.Get("x-echo"); len(got) != 1 || got[0] != "some text" {
		return fmt.Errorf("x-echo %q", got)
	}
	if got := trailer.Get("x-echo-bin"); len(got) != 1 || got[0] != string(binary) {
		return fmt.Errorf("x-echo-bin %q", got)
	}
	return nil
}

func statusKind(ctx context.Context, channel *grpc.ClientConn) error {
	ctx = metadata.AppendToOutgoingContext(ctx, "x-fail", "NOT_FOUND:100% gone")
	request, answer := []byte("s"), []byte{}
	err := channel.Invoke(ctx, "/"+service+"/Unary", &request, &answer)
	if got := status.Convert(err); got.Code() != codes.NotFound || got.Message() != "100% gone" {
		return fmt.Errorf("%s %q", codeName(got.Code()), got.Message())
	}
	return nil
}

// details is a google.rpc.Status: NOT_FOUND, "100% gone", and a detail of type a.test/Why.
const details = "\x08\x05\x12\x09100% gone\x1a\x11\x0a\x0aa.test/Why\x12\x03\x00\x01\xff"

func detailsKind(ctx context.Context, channel *grpc.ClientConn) error {
	ctx = metadata.AppendToOutgoingContext(ctx, "x-fail", "NOT_FOUND:100% gone", "x-details-bin", details)
	request, answer := []byte("d"), []byte{}
	err := channel.Invoke(ctx, "/"+service+"/Unary", &request, &answer)
	got := status.Convert(err)
	written, err := proto.Marshal(got.Proto())
	if err != nil {
		return err
	}
	if got.Code() != codes.NotFound || string(written) != details {
		return fmt.Errorf("%s %q", codeName(got.Code()), written)
	}
	return nil
}

func trailersOnlyKind(ctx context.Context, channel *grpc.ClientConn) error {
	ctx = metadata.AppendToOutgoingContext(ctx, "x-trailers-only", "1", "x-fail", "ABORTED:at once")
	var header, trailer metadata.MD
	request, answer := []byte("t"), []byte{}
	err := channel.Invoke(ctx, "/"+service+"/Unary", &request, &answer, grpc.Header(&header), grpc.Trailer(&trailer))
	if got := status.Convert(err); got.Code() != codes.Aborted || got.Message() != "at once" {
		return fmt.Errorf("%s %q", codeName(got.Code()), got.Message())
	}
	if len(header.Get("x-backend")) != 0 || len(trailer.Get("x-backend-trailer")) != 1 {
		return fmt.Errorf("header %q, trailer %q", header, trailer)
	}
	return nil
}

// largest is the size of the largest message that every library takes without being told to.
const largest = 4 << 20

func largeKind(ctx context.Context, channel *grpc.ClientConn) error {
	request, answer := make([]byte, largest), []byte{}
	for i := range request {
		request[i] = byte(i % 251)
	}
	if err := channel.Invoke(ctx, "/"+service+"/Unary", &request, &answer); err != nil {
		return err
	}
	if !bytes.Equal(request, answer) {
		return fmt.Errorf("%d bytes came back, or others", len(answer))
	}
	return nil
}

// wantCancelled waits until the server has seen the end of the call that it watches by this key.
func wantCancelled(ctx context.Context, channel *grpc.ClientConn, key string) error {
	request, answer := []byte(key), []byte{}
	if err := channel.Invoke(ctx, "/"+service+"/Cancelled", &request, &answer); err != nil {
		return fmt.Errorf("the server did not see it: %w", err)
	}
	return nil
}

func newKey() string {
	return fmt.Sprintf("go-%d", time.Now().UnixNano())
}

func deadlineKind(ctx context.Context, channel *grpc.ClientConn) error {
	key := newKey()
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	short = metadata.AppendToOutgoingContext(short, "x-watch", key, "x-delay-ms", "600000")
	request, answer := []byte("late"), []byte{}
	err := channel.Invoke(short, "/"+service+"/Unary", &request, &answer)
	if got := status.Code(err); got != codes.DeadlineExceeded {
		return fmt.Errorf("%s", codeName(got))
	}
	return wantCancelled(ctx, channel, key)
}

func cancelKind(ctx context.Context, channel *grpc.ClientConn) error {
	key := newKey()
	some, cancel := context.WithCancel(metadata.AppendToOutgoingContext(ctx, "x-watch", key, "x-delay-ms", "600000"))
	defer cancel()
	stream, err := open(some, channel, "Bidi")
	if err != nil {
		return err
	}
	if header, err := stream.Header(); err != nil || len(header.Get("x-backend")) != 1 {
		return fmt.Errorf("header %q, %w", header, err)
	}
	cancel()
	if got := status.Code(stream.RecvMsg(new([]byte))); got != codes.Canceled {
		return fmt.Errorf("%s", codeName(got))
	}
	return wantCancelled(ctx, channel, key)
}
