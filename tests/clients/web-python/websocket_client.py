"""Sessions on websockets and on aiohttp."""

import asyncio

import cases

LONGEST = 16 << 20


def call(target, library):
    asyncio.run(_with_websockets(target) if library == "websockets" else _with_aiohttp(target))


class OfWebsockets(cases.Session):
    def __init__(self, connection):
        self.connection = connection
        self.subprotocol = connection.subprotocol
        names = [extension.name for extension in connection.protocol.extensions]
        self.deflate = "permessage-deflate" in names

    async def send(self, message):
        await self.connection.send(message)

    async def send_fragments(self, parts):
        await self.connection.send(parts)

    async def receive(self):
        from websockets.exceptions import ConnectionClosed

        try:
            return cases.shown(await self.connection.recv())
        except ConnectionClosed as closed:
            code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
            return f"closed:{code}:{reason}"

    async def ping(self):
        await (await self.connection.ping("are you there"))

    async def close(self, code, reason):
        await self.connection.close(code, reason)

    def abort(self):
        self.connection.transport.abort()


async def _with_websockets(target):
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus

    async def open_session(path, headers=None, protocols=None, deflate=False):
        compression = "deflate" if deflate else None
        try:
            connection = await connect(
                target + path, additional_headers=headers, subprotocols=protocols, compression=compression,
                max_size=LONGEST, ping_interval=None, proxy=None,
            )
        except InvalidStatus as refused:
            raise cases.Refused(refused.response.status_code) from refused
        return OfWebsockets(connection)

    await cases.run(open_session, without=())


class OfAiohttp(cases.Session):
    def __init__(self, socket):
        self.socket = socket
        self.subprotocol = socket.protocol
        self.deflate = bool(socket.compress)

    async def send(self, message):
        if isinstance(message, str):
            await self.socket.send_str(message)
        else:
            await self.socket.send_bytes(message)

    async def receive(self):
        from aiohttp import WSMsgType

        message = await self.socket.receive()
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            return cases.shown(message.data)
        if message.type == WSMsgType.PONG:
            return f"pong:{bytes(message.data).decode()}"
        if message.type == WSMsgType.PING:
            await self.socket.pong(message.data)
            return await self.receive()
        reason = message.extra if message.type == WSMsgType.CLOSE else ""
        return f"closed:{self.socket.close_code}:{reason or ''}"

    async def ping(self):
        await self.socket.ping(b"are you there")
        heard = await self.receive()
        assert heard == "pong:are you there", heard

    async def close(self, code, reason):
        await self.socket.close(code=code, message=reason.encode())

    def abort(self):
        connection = self.socket._response.connection
        # None once the session has ended by itself.
        if connection is not None:
            connection.transport.abort()


async def _with_aiohttp(target):
    import aiohttp

    async with aiohttp.ClientSession() as client:

        async def open_session(path, headers=None, protocols=(), deflate=False):
            try:
                socket = await client.ws_connect(
                    target + path, headers=headers, protocols=protocols or (), compress=15 if deflate else 0,
                    max_msg_size=LONGEST, autoping=False,
                )
            except aiohttp.WSServerHandshakeError as refused:
                raise cases.Refused(refused.status) from refused
            return OfAiohttp(socket)

        # aiohttp has no way to send a message in fragments.
        await cases.run(open_session, without=("fragmented",))
