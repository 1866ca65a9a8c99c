"""A WebSocket server on websockets."""

import asyncio
import http
import signal
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import serve as serve_sessions
from websockets.exceptions import ConnectionClosed

SEEN_WITHIN = 10
LONGEST = 16 << 20


def serve():
    asyncio.run(_serve())


async def _serve():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with serve_sessions(
        _session, "127.0.0.1", 0, subprotocols=["b.echo"], select_subprotocol=_select, max_size=LONGEST,
        ping_interval=None, process_request=_refuse,
    ) as server:
        print("READY", server.sockets[0].getsockname()[1], flush=True)
        await stop.wait()


def _select(connection, offered):
    return "b.echo" if "b.echo" in offered else None


def _refuse(connection, request):
    if urlsplit(request.path).path not in PATHS:
        return connection.respond(http.HTTPStatus.FORBIDDEN, "no\n")
    return None


async def _session(connection):
    url = urlsplit(connection.request.path)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    try:
        await PATHS[url.path](connection, query)
    except ConnectionClosed as closed:
        if url.path == "/ws/watch":
            seen = f"{closed.rcvd.code} {closed.rcvd.reason}" if closed.rcvd else "1006 "
            _close_of(query["key"]).set_result(seen)


_closes = {}


def _close_of(key):
    return _closes.setdefault(key, asyncio.get_running_loop().create_future())


async def _echo(connection, query):
    while True:
        await connection.send(await connection.recv())


def _answer_to(answer):
    async def session(connection, query):
        await connection.recv()
        await answer(connection, query)
        await _echo(connection, query)

    return session


async def _fragments(connection, query):
    await connection.send(["one ", "two ", "three"])


async def _ping(connection, query):
    await (await connection.ping("are you there"))
    await connection.send("ponged")


async def _close(connection, query):
    await connection.close(int(query["code"]), query["reason"])


async def _abort(connection, query):
    connection.transport.abort()


async def _header(connection, query):
    await connection.send(connection.request.headers.get("x-test", ""))


async def _seen(connection, query):
    try:
        await connection.send(await asyncio.wait_for(_close_of(query["key"]), SEEN_WITHIN))
    except TimeoutError:
        await connection.send("nothing")


PATHS = {
    "/ws/echo": _echo,
    "/ws/watch": _echo,
    "/ws/fragments": _answer_to(_fragments),
    "/ws/ping": _answer_to(_ping),
    "/ws/close": _answer_to(_close),
    "/ws/abort": _answer_to(_abort),
    "/ws/header": _answer_to(_header),
    "/ws/seen": _answer_to(_seen),
}
