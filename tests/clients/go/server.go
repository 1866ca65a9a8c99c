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
	"sync"
	"syscall"
	"time"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // answers as the request came
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// echo answers the methods; every answer bears its name.
type echo struct {
	name    string
	delayMs int

	mutex   sync.Mutex
	watched map[string]watch
}

// watch is done once the call that a client watches has been cancelled.
type watch struct {
	done <-chan struct{}
	mark func()
}

// watch gives the one of this key to the watched call and to who asks for it, whoever comes first.
func (e *echo) watch(key string) watch {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	known, ok := e.watched[key]
	if !ok {
		ctx, cancel := context.WithCancel(context.Background())
		known = watch{done: ctx.Done(), mark: cancel}
		e.watched[key] = known
	}
	return known
}

// watching marks the watched calls that end because they were cancelled.
func watching(handler grpc.StreamHandler) grpc.StreamHandler {
	return func(srv any, stream grpc.ServerStream) error {
		err := handler(srv, stream)
		given, _ := metadata.FromIncomingContext(stream.Context())
		if keys := given.Get("x-watch"); len(keys) > 0 && stream.Context().Err() != nil {
			srv.(*echo).watch(keys[0]).mark()
		}
		return err
	}
}

// serve has one server for each name, each on a port of its own: the first on the given one, the others on free ones.
func serve(port int, names []string, delayMs int) error {
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	var servers []*grpc.Server
	ended := make(chan error, len(names))
	for _, name := range names {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return err
		}
		port = 0
		server := newServer(&echo{name: name, delayMs: delayMs, watched: map[string]watch{}})
		servers = append(servers, server)
		go func() { ended <- server.Serve(listener) }()
		fmt.Printf("READY %d\n", listener.Addr().(*net.TCPAddr).Port)
	}
	select {
	case err := <-ended:
		return err
	case <-terminate:
	}
	for _, server := range servers {
		server.GracefulStop()
	}
	return nil
}

func newServer(echo *echo) *grpc.Server {
	server := grpc.NewServer(grpc.ForceServerCodec(rawBytes{}))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: service,
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{
			{StreamName: "Unary", Handler: watching(unary)},
			{StreamName: "ServerStream", Handler: watching(serverStream), ServerStreams: true},
			{StreamName: "ClientStream", Handler: watching(clientStream), ClientStreams: true},
			{StreamName: "Bidi", Handler: watching(bidi), ServerStreams: true, ClientStreams: true},
			{StreamName: "Cancelled", Handler: cancelled},
		},
	}, echo)
	return server
}

// begin sends the headers unless the trailers shall be all, waits, and fails where the request asks for it.
func (e *echo) begin(stream grpc.ServerStream) (metadata.MD, error) {
	given, _ := metadata.FromIncomingContext(stream.Context())
	trailer := metadata.Pairs("x-backend-trailer", e.name)
	for _, key := range []string{"x-echo", "x-echo-bin"} {
		trailer.Append(key, given.Get(key)...)
	}
	stream.SetTrailer(trailer)
	if len(given.Get("x-trailers-only")) == 0 {
		if err := stream.SendHeader(metadata.Pairs("x-backend", e.name)); err != nil {
			return nil, err
		}
	}
	delayMs, err := number(given, "x-delay-ms", e.delayMs)
	if err != nil {
		return nil, err
	}
	if err := pause(stream.Context(), time.Duration(delayMs)*time.Millisecond); err != nil {
		return nil, err
	}
	if wanted := given.Get("x-details-bin"); len(wanted) > 0 {
		var whole statuspb.Status
		if err := proto.Unmarshal([]byte(wanted[0]), &whole); err != nil {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}
		return nil, status.ErrorProto(&whole)
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

// cancelled answers once the call that is watched by the request's key has been cancelled.
func cancelled(srv any, stream grpc.ServerStream) error {
	key := new([]byte)
	if err := stream.RecvMsg(key); err != nil {
		return err
	}
	if _, err := srv.(*echo).begin(stream); err != nil {
		return err
	}
	select {
	case <-srv.(*echo).watch(string(*key)).done:
		return stream.SendMsg(key)
	case <-stream.Context().Done():
		return status.FromContextError(stream.Context().Err()).Err()
	}
}
