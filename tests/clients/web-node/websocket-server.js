// A WebSocket server on ws; with --h2 over extended CONNECT (RFC 8441).
"use strict";

const http = require("node:http");
const http2 = require("node:http2");
const WebSocket = require("ws");

const SEEN_WITHIN = 10_000;
const LONGEST = 16 << 20;

exports.serve = function serve({ h2 }) {
  const closes = new Map();
  const server = h2 ? overH2(closes) : overH1(closes);
  server.listen(0, "127.0.0.1", () => console.log(`READY ${server.address().port}`));
  return new Promise((resolve) => process.on("SIGTERM", resolve));
};

function overH1(closes) {
  const server = http.createServer((request, answer) => answer.end("no WebSocket\n"));
  const sessions = new WebSocket.WebSocketServer({
    noServer: true,
    perMessageDeflate: true,
    maxPayload: LONGEST,
    handleProtocols: (offered) => (offered.has("b.echo") ? "b.echo" : false),
  });
  server.on("upgrade", (request, socket, head) => {
    const { pathname, searchParams } = new URL(request.url, "http://server");
    const serve = PATHS[pathname];
    // Who is refused may be gone before it has heard so.
    socket.on("error", () => {});
    if (!serve) return socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    sessions.handleUpgrade(request, socket, head, (session) => begin(session, serve, searchParams, request.headers, closes));
  });
  return server;
}

function overH2(closes) {
  const server = http2.createServer({ settings: { enableConnectProtocol: true } });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    const { pathname, searchParams } = new URL(headers[":path"], "http://server");
    const serve = PATHS[pathname];
    if (headers[":method"] !== "CONNECT" || headers[":protocol"] !== "websocket" || !serve) {
      stream.respond({ ":status": 403 }, { endStream: true });
      return;
    }
    const offered = (headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
    const answer = { ":status": 200 };
    if (offered.includes("b.echo")) answer["sec-websocket-protocol"] = "b.echo";
    stream.respond(answer);
    // ws has no constructor for a stream that is open already: this is what its own server does after a handshake.
    const session = new WebSocket(null, undefined, { autoPong: true });
    session._isServer = true;
    session.setSocket(stream, Buffer.alloc(0), { allowSynchronousEvents: true, maxPayload: LONGEST, skipUTF8Validation: false });
    begin(session, serve, searchParams, headers, closes);
  });
  return server;
}

function begin(session, serve, query, headers, closes) {
  session.on("error", () => {});
  serve(session, { query, headers, closes });
}

function echo(session) {
  session.on("message", (data, isBinary) => session.send(data, { binary: isBinary }));
}

// Lets `answer` answer the first message and serves as an echo from there.
const answerTo = (answer) => (session, how) => {
  session.once("message", () => {
    echo(session);
    answer(session, how);
  });
};

function closeOf(closes, key) {
  if (!closes.has(key)) {
    let tell;
    const seen = new Promise((resolve) => (tell = resolve));
    closes.set(key, { seen, tell });
  }
  return closes.get(key);
}

const PATHS = {
  "/ws/echo": echo,
  "/ws/watch"(session, { query, closes }) {
    echo(session);
    session.on("close", (code, reason) => closeOf(closes, query.get("key")).tell(`${code} ${reason}`));
  },
  "/ws/seen": answerTo(async (session, { query, closes }) => {
    const late = new Promise((resolve) => setTimeout(() => resolve("nothing"), SEEN_WITHIN));
    session.send(await Promise.race([closeOf(closes, query.get("key")).seen, late]));
  }),
  "/ws/fragments": answerTo((session) => {
    session.send("one ", { fin: false });
    session.send("two ", { fin: false });
    session.send("three", { fin: true });
  }),
  "/ws/ping": answerTo((session) => {
    session.on("pong", (data) => session.send(String(data) === "are you there" ? "ponged" : "another pong"));
    session.ping("are you there");
  }),
  "/ws/close": answerTo((session, { query }) => session.close(Number(query.get("code")), query.get("reason"))),
  "/ws/abort": answerTo((session) => session.terminate()),
  "/ws/header": answerTo((session, { headers }) => session.send(headers["x-test"] ?? "")),
};
