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
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
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
		"metadata": metadataKind, "status": statusKind,
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

func open(ctx context.Context, channel *grpc.ClientConn, method string) (grpc.ClientStream, error) {
	return channel.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/"+service+"/"+method)
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
	stream, err := open(ctx, channel, "Bidi")
	if err != nil {
		return err
	}
	for _, message := range []string{"ping", "", string(bytes.Repeat([]byte("x"), 70_000))} {
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
