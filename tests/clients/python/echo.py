"""gRPC echo server and client on grpcio; ../README.md says what both owe."""
import argparse
import asyncio
import json
import signal
import sys
import time

import grpc

SERVICE = "evenkeel.test.Echo"
ECHOED = ("x-echo", "x-echo-bin")
BINARY = bytes(range(256))
# A google.rpc.Status: NOT_FOUND, "100% gone", and a detail of type a.test/Why.
DETAILS = b"\x08\x05\x12\x09100% gone\x1a\x11\x0a\x0aa.test/Why\x12\x03\x00\x01\xff"
# The largest message that every library takes without being told to.
LARGEST = 4 << 20


class Echo:
    """The methods; every answer bears the server's name."""

    def __init__(self, name, delay_ms):
        self.name = name
        self.delay_ms = delay_ms
        self.watched = {}

    def watch(self, key):
        """Set once the watched call of this key has been cancelled; made by whoever comes first."""
        return self.watched.setdefault(key, asyncio.Event())

    async def begin(self, context):
        given = dict(context.invocation_metadata())
        trailers = [("x-backend-trailer", self.name)]
        trailers += [(key, given[key]) for key in ECHOED if key in given]
        context.set_trailing_metadata(tuple(trailers))
        if "x-gzip" in given:
            context.set_compression(grpc.Compression.Gzip)
        try:
            if "x-trailers-only" not in given:
                await context.send_initial_metadata((("x-backend", self.name),))
            await asyncio.sleep(int(given.get("x-delay-ms", self.delay_ms)) / 1000)
        except asyncio.CancelledError:
            if "x-watch" in given:
                self.watch(given["x-watch"]).set()
            raise
        if "x-details-bin" in given:
            trailers.append(("grpc-status-details-bin", given["x-details-bin"]))
        if "x-fail" in given:
            code, _, message = given["x-fail"].partition(":")
            await context.abort(grpc.StatusCode[code], message, tuple(trailers))
        return given

    async def unary(self, request, context):
        await self.begin(context)
        return request

    async def server_stream(self, request, context):
        given = await self.begin(context)
        for _ in range(int(given.get("x-count", 5))):
            yield request

    async def client_stream(self, requests, context):
        await self.begin(context)
        return b"".join([request async for request in requests])

    async def bidi(self, requests, context):
        await self.begin(context)
        async for request in requests:
            yield request

    async def cancelled(self, request, context):
        await self.begin(context)
        await self.watch(request.decode()).wait()
        return request

    def handler(self):
        return grpc.method_handlers_generic_handler(SERVICE, {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "ServerStream": grpc.unary_stream_rpc_method_handler(self.server_stream),
            "ClientStream": grpc.stream_unary_rpc_method_handler(self.client_stream),
            "Bidi": grpc.stream_stream_rpc_method_handler(self.bidi),
            "Cancelled": grpc.unary_unary_rpc_method_handler(self.cancelled),
        })


async def serve(args):
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Echo(args.name, args.delay_ms).handler(),))
    port = server.add_insecure_port(f"127.0.0.1:{args.port}")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await server.start()
    print(f"READY {port}", flush=True)
    await stop.wait()
    await server.stop(grace=30)


class Mismatch(Exception):
    """The answer is not what the server owes."""


def backend_of(headers, trailers):
    header = dict(headers or ()).get("x-backend")
    trailer = dict(trailers or ()).get("x-backend-trailer")
    if header is None or header != trailer:
        raise Mismatch(f"header {header!r}, trailer {trailer!r}")
    return header


class Load:
    """Unary calls on one channel, a fixed number in flight."""

    def __init__(self, channel, args):
        self.unary = channel.unary_unary(f"/{SERVICE}/Unary")
        self.args = args
        self.left = args.calls if args.seconds is None else None
        self.until = None if args.seconds is None else time.monotonic() + args.seconds
        self.stopped = False
        self.calls = 0
        self.errors = {}
        self.micros = {}

    def stop(self):
        """Makes no more calls; those in flight end."""
        self.stopped = True

    def another(self):
        if self.stopped:
            return False
        if self.until is not None:
            return time.monotonic() < self.until
        return self.calls < self.left

    async def one(self, payload):
        metadata = (("x-delay-ms", str(self.args.delay_ms)),) if self.args.delay_ms else ()
        start = time.perf_counter_ns()
        call = self.unary(payload, timeout=self.args.deadline_ms / 1000, metadata=metadata)
        try:
            if await call != payload:
                raise Mismatch("payload")
            backend = backend_of(await call.initial_metadata(), await call.trailing_metadata())
        except grpc.RpcError as error:
            self.failed(error.code().name)
        except Mismatch:
            self.failed("MISMATCH")
        else:
            self.micros.setdefault(backend, []).append((time.perf_counter_ns() - start) // 1000)

    def failed(self, code):
        self.errors[code] = self.errors.get(code, 0) + 1

    async def lane(self):
        while self.another():
            self.calls += 1
            await self.one(b"python-%d" % self.calls)

    async def run(self):
        await asyncio.gather(*(self.lane() for _ in range(self.args.concurrency)))

    def report(self):
        every = [micros for list_ in self.micros.values() for micros in list_]
        return {
            "calls": self.calls,
            "errors": sum(self.errors.values()),
            "error_codes": self.errors,
            "per_backend": {name: len(list_) for name, list_ in self.micros.items()},
            "p50_us": quantile(every, 0.50),
            "p99_us": quantile(every, 0.99),
            "p99_us_per_backend": {name: quantile(list_, 0.99) for name, list_ in self.micros.items()},
        }


def quantile(values, share):
    if not values:
        return 0
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def expect(what, got, wanted):
    if got != wanted:
        raise Mismatch(f"{what}: {got!r} instead of {wanted!r}")


class Kinds:
    """Each kind of call once."""

    def __init__(self, channel, args):
        self.channel = channel
        self.timeout = args.deadline_ms / 1000

    async def named(self, call):
        backend_of(await call.initial_metadata(), await call.trailing_metadata())

    async def unary(self):
        call = self.channel.unary_unary(f"/{SERVICE}/Unary")(b"one", timeout=self.timeout)
        expect("answer", await call, b"one")
        await self.named(call)

    async def server_stream(self):
        method = self.channel.unary_stream(f"/{SERVICE}/ServerStream")
        call = method(b"many", timeout=self.timeout, metadata=(("x-count", "7"),))
        expect("answers", [message async for message in call], [b"many"] * 7)
        await self.named(call)

    async def client_stream(self):
        call = self.channel.stream_unary(f"/{SERVICE}/ClientStream")([b"a", b"", b"bc"], timeout=self.timeout)
        expect("answer", await call, b"abc")
        await self.named(call)

    async def bidi(self):
        await self.each_echoed((b"ping", b"", b"x" * 70_000))

    async def gzip(self):
        given = {"metadata": (("x-gzip", "1"),), "compression": grpc.Compression.Gzip}
        await self.each_echoed((b"z" * 100_000, b"plain"), **given)

    async def each_echoed(self, messages, **given):
        """Sends each message once the one before has come back."""
        call = self.channel.stream_stream(f"/{SERVICE}/Bidi")(timeout=self.timeout, **given)
        for sent in messages:
            await call.write(sent)
            expect("answer", await call.read(), sent)
        await call.done_writing()
        expect("end", await call.read(), grpc.aio.EOF)
        await self.named(call)

    async def metadata(self):
        given = (("x-echo", "some text"), ("x-echo-bin", BINARY))
        call = self.channel.unary_unary(f"/{SERVICE}/Unary")(b"m", timeout=self.timeout, metadata=given)
        await call
        trailers = dict(await call.trailing_metadata())
        expect("x-echo", trailers.get("x-echo"), "some text")
        expect("x-echo-bin", trailers.get("x-echo-bin"), BINARY)

    async def status(self):
        given = (("x-fail", "NOT_FOUND:100% gone"),)
        call = self.channel.unary_unary(f"/{SERVICE}/Unary")(b"s", timeout=self.timeout, metadata=given)
        expect("code", await call.code(), grpc.StatusCode.NOT_FOUND)
        expect("message", await call.details(), "100% gone")

    async def details(self):
        given = (("x-fail", "NOT_FOUND:100% gone"), ("x-details-bin", DETAILS))
        call = self.channel.unary_unary(f"/{SERVICE}/Unary")(b"d", timeout=self.timeout, metadata=given)
        expect("code", await call.code(), grpc.StatusCode.NOT_FOUND)
        expect("details", dict(await call.trailing_metadata()).get("grpc-status-details-bin"), DETAILS)

    async def trailers_only(self):
        given = (("x-trailers-only", "1"), ("x-fail", "ABORTED:at once"))
        call = self.channel.unary_unary(f"/{SERVICE}/Unary")(b"t", timeout=self.timeout, metadata=given)
        expect("code", await call.code(), grpc.StatusCode.ABORTED)
        expect("message", await call.details(), "at once")
        expect("header", dict(await call.initial_metadata() or ()).get("x-backend"), None)
        expect("trailer", "x-backend-trailer" in dict(await call.trailing_metadata()), True)

    async def large(self):
        sent = bytes(range(251)) * (LARGEST // 251 + 1)
        sent = sent[:LARGEST]
        answer = await self.channel.unary_unary(f"/{SERVICE}/Unary")(sent, timeout=self.timeout)
        expect("answer", answer == sent, True)

    async def deadline(self):
        key = f"python-{time.time_ns()}"
        given = (("x-watch", key), ("x-delay-ms", "600000"))
        call = self.channel.unary_unary(f"/{SERVICE}/Unary")(b"late", timeout=0.5, metadata=given)
        expect("code", await call.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        await self.seen_cancelled(key)

    async def cancel(self):
        key = f"python-{time.time_ns()}"
        given = (("x-watch", key), ("x-delay-ms", "600000"))
        call = self.channel.stream_stream(f"/{SERVICE}/Bidi")(timeout=self.timeout, metadata=given)
        expect("header", "x-backend" in dict(await call.initial_metadata()), True)
        call.cancel()
        expect("code", await call.code(), grpc.StatusCode.CANCELLED)
        await self.seen_cancelled(key)

    async def seen_cancelled(self, key):
        """Waits until the server has seen the end of the call that it watches by this key."""
        await self.channel.unary_unary(f"/{SERVICE}/Cancelled")(key.encode(), timeout=self.timeout)

    async def run(self):
        done = {}
        for kind in (
            self.unary, self.server_stream, self.client_stream, self.bidi, self.metadata, self.status, self.details,
            self.trailers_only, self.large, self.gzip, self.deadline, self.cancel,
        ):
            try:
                await kind()
                done[kind.__name__] = "ok"
            except (grpc.RpcError, Mismatch) as error:
                done[kind.__name__] = f"failed: {error}"
        return done


async def call(args):
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
    async with grpc.aio.insecure_channel(args.target, options=options) as channel:
        try:
            await asyncio.wait_for(channel.channel_ready(), args.deadline_ms / 1000)
        except asyncio.TimeoutError:
            print(f"nothing answers at {args.target}", file=sys.stderr)
            return 2
        load = Load(channel, args)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, load.stop)
        await load.run()
        report = load.report()
        if args.kinds:
            report["kinds"] = await Kinds(channel, args).run()
        print(json.dumps(report), flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    server = verbs.add_parser("server")
    server.add_argument("--port", type=int, default=0)
    server.add_argument("--name", required=True)
    server.add_argument("--delay-ms", type=int, default=0)
    client = verbs.add_parser("client")
    client.add_argument("--target", required=True)
    client.add_argument("--calls", type=int, default=0)
    client.add_argument("--seconds", type=float)
    client.add_argument("--concurrency", type=int, default=1)
    client.add_argument("--delay-ms", type=int, default=0)
    client.add_argument("--deadline-ms", type=int, default=10_000)
    client.add_argument("--kinds", action="store_true")
    args = parser.parse_args()
    if args.verb == "server":
        asyncio.run(serve(args))
        return 0
    return asyncio.run(call(args))


if __name__ == "__main__":
    sys.exit(main())
