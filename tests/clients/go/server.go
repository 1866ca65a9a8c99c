package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// echo answers the four methods; every answer bears its name.
type echo struct {
	name    string
	delayMs int
}

func serve(port int, name string, delayMs int) error {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.ForceServerCodec(rawBytes{}))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: service,
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{
			{StreamName: "Unary", Handler: unary},
			{StreamName: "ServerStream", Handler: serverStream, ServerStreams: true},
			{StreamName: "ClientStream", Handler: clientStream, ClientStreams: true},
			{StreamName: "Bidi", Handler: bidi, ServerStreams: true, ClientStreams: true},
		},
	}, &echo{name: name, delayMs: delayMs})

	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	stopped := make(chan struct{})
	go func() {
		<-terminate
		server.GracefulStop()
		close(stopped)
	}()
	fmt.Printf("READY %d\n", listener.Addr().(*net.TCPAddr).Port)
	if err := server.Serve(listener); err != nil {
		return err
	}
	<-stopped
	return nil
}

// begin sends the headers, waits, and fails where the request asks for it.
func (e *echo) begin(stream grpc.ServerStream) (metadata.MD, error) {
	given, _ := metadata.FromIncomingContext(stream.Context())
	trailer := metadata.Pairs("x-backend-trailer", e.name)
	for _, key := range []string{"x-echo", "x-echo-bin"} {
		trailer.Append(key, given.Get(key)...)
	}
	stream.SetTrailer(trailer)
	if err := stream.SendHeader(metadata.Pairs("x-backend", e.name)); err != nil {
		return nil, err
	}
	delayMs, err := number(given, "x-delay-ms", e.delayMs)
	if err != nil {
		return nil, err
	}
	if err := pause(stream.Context(), time.Duration(delayMs)*time.Millisecond); err != nil {
		return nil, err
	}
	if wanted := given.Get("x-fail"); len(wanted) > 0 {
		name, message, _ := strings.Cut(wanted[0], ":")
		var code codes.Code
		if err := code.UnmarshalJSON([]byte(strconv.Quote(name))); err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
		return nil, status.Error(code, message)
	}
	return given, nil
}

func number(given metadata.MD, key string, otherwise int) (int, error) {
	written := given.Get(key)
	if len(written) == 0 {
		return otherwise, nil
	}
	value, err := strconv.Atoi(written[0])
	if err != nil {
		return 0, status.Errorf(codes.InvalidArgument, "%s: %v", key, err)
	}
	return value, nil
}

func pause(ctx context.Context, delay time.Duration) error {
	if delay <= 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// received reads the next message; nil and no error at the end.
func received(stream grpc.ServerStream) (*[]byte, error) {
	message := new([]byte)
	if err := stream.RecvMsg(message); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return message, nil
}

func unary(srv any, stream grpc.ServerStream) error {
	message := new([]byte)
	if err := stream.RecvMsg(message); err != nil {
		return err
	}
	if _, err := srv.(*echo).begin(stream); err != nil {
		return err
	}
	return stream.SendMsg(message)
}

func serverStream(srv any, stream grpc.ServerStream) error {
	message := new([]byte)
	if err := stream.RecvMsg(message); err != nil {
		return err
	}
	given, err := srv.(*echo).begin(stream)
	if err != nil {
		return err
	}
	count, err := number(given, "x-count", 5)
	if err != nil {
		return err
	}
	for range count {
		if err := stream.SendMsg(message); err != nil {
			return err
		}
	}
	return nil
}

func clientStream(srv any, stream grpc.ServerStream) error {
	if _, err := srv.(*echo).begin(stream); err != nil {
		return err
	}
	joined := []byte{}
	for {
		message, err := received(stream)
		if err != nil {
			return err
		}
		if message == nil {
			return stream.SendMsg(&joined)
		}
		joined = append(joined, *message...)
	}
}

func bidi(srv any, stream grpc.ServerStream) error {
	if _, err := srv.(*echo).begin(stream); err != nil {
		return err
	}
	for {
		message, err := received(stream)
		if err != nil || message == nil {
			return err
		}
		if err := stream.SendMsg(message); err != nil {
			return err
		}
	}
}
