"""The cases of a WebSocket session, written once for every library: what a session owes is in `Session`."""

import asyncio
import hashlib
import json
import uuid

DEADLINE = 20
CODES = (1000, 1001, 3000, 4999)


class Session:
    """An open session of a library. `receive` gives a message, or `closed:CODE:REASON` at the end."""

    subprotocol = None
    deflate = False

    async def send(self, message):
        raise NotImplementedError

    async def send_fragments(self, parts):
        raise NotImplementedError

    async def receive(self):
        raise NotImplementedError

    async def ping(self):
        """Pings and waits for the pong."""
        raise NotImplementedError

    async def close(self, code, reason):
        raise NotImplementedError

    def abort(self):
        """Ends the connection without a word."""
        raise NotImplementedError


class Refused(Exception):
    """The server did not want a session."""

    def __init__(self, status):
        super().__init__(f"status {status}")
        self.status = status


def shown(message):
    if isinstance(message, str) and len(message.encode()) <= 100:
        return f"text:{message}"
    kind, data = ("text", message.encode()) if isinstance(message, str) else ("binary", message)
    return f"{kind}:{len(data)}:{hashlib.sha256(data).hexdigest()[:8]}"


async def run(open_session, without):
    """Every case but those that the library cannot do, a line each."""
    for name, case in _cases().items():
        if name in without:
            continue
        saw = []
        try:
            await asyncio.wait_for(case(open_session, saw.append), DEADLINE)
        except Exception as error:
            saw.append(f"failed: {error!r}")
        print(json.dumps({"case": name, "saw": saw}), flush=True)


def _pattern(length):
    return bytes(place % 251 for place in range(length))


def _exchange(path, *messages):
    async def case(open_session, see):
        session = await open_session(path)
        for message in messages:
            await session.send(message)
            see(await session.receive())
        session.abort()

    return case


def _client_closes(end):
    async def case(open_session, see):
        key = uuid.uuid4()
        session = await open_session(f"/ws/watch?key={key}")
        await session.send("first")
        see(await session.receive())
        await end(session)
        await _exchange(f"/ws/seen?key={key}", "go")(open_session, see)

    return case


async def _many(open_session, see):
    session = await open_session("/ws/echo")
    sending = asyncio.ensure_future(_send_many(session))
    for number in range(500):
        heard = await session.receive()
        assert heard == f"text:{number}", f"message {number} is {heard}"
    await sending
    see("in order:500")
    session.abort()


async def _send_many(session):
    for number in range(500):
        await session.send(str(number))


async def _fragmented(open_session, see):
    session = await open_session("/ws/echo")
    await session.send_fragments(["a", "b", "c"])
    see(await session.receive())
    session.abort()


async def _ping(open_session, see):
    session = await open_session("/ws/echo")
    await session.ping()
    see("pong")
    session.abort()


async def _header(open_session, see):
    session = await open_session("/ws/header", headers={"x-test": "a value"})
    await session.send("go")
    see(await session.receive())
    session.abort()


async def _subprotocol(open_session, see):
    session = await open_session("/ws/echo", protocols=["a.unknown", "b.echo"])
    see(f"protocol:{session.subprotocol}")
    session.abort()


async def _deflate(open_session, see):
    session = await open_session("/ws/echo", deflate=True)
    see(f"deflate:{str(session.deflate).lower()}")
    for _ in range(2):
        await session.send("compress me " * 10_000)
        see(await session.receive())
    session.abort()


async def _refused(open_session, see):
    try:
        await open_session("/ws/refuse")
    except Refused as refused:
        see(f"status:{refused.status}")


async def _abort(session):
    session.abort()


def _cases():
    cases = {
        "text": _exchange("/ws/echo", "hello", "κόσμε 🚀"),
        "binary": _exchange("/ws/echo", _pattern(1000)),
        "empty_text": _exchange("/ws/echo", ""),
        "empty_binary": _exchange("/ws/echo", b""),
        "large_binary": _exchange("/ws/echo", _pattern(1 << 20)),
        "large_text": _exchange("/ws/echo", "0123456789abcdef" * (1 << 16)),
        "many": _many,
        "fragmented": _fragmented,
        "answered_in_fragments": _exchange("/ws/fragments", "go"),
        "ping": _ping,
        "pinged": _exchange("/ws/ping", "go"),
        "header": _header,
        "subprotocol": _subprotocol,
        "deflate": _deflate,
        "server_aborts": _exchange("/ws/abort", "go"),
        "client_aborts": _client_closes(_abort),
        "refused": _refused,
    }
    for code in CODES:
        cases[f"server_closes_{code}"] = _exchange(f"/ws/close?code={code}&reason=because+{code}", "go")
        cases[f"client_closes_{code}"] = _client_closes(
            lambda session, code=code: session.close(code, f"since {code}")
        )
    return cases
