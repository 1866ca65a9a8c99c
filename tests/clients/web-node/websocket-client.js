// The cases of a WebSocket session, on ws; with --h2 over extended CONNECT (RFC 8441), all sessions on one connection.
"use strict";

const http2 = require("node:http2");
const crypto = require("node:crypto");
const WebSocket = require("ws");
const { say } = require("./say.js");

const DEADLINE = 20_000;
const CODES = [1000, 1001, 3000, 4999];

exports.call = async function call({ target, h2 }) {
  const connection = h2 ? await connect(target) : undefined;
  const open = (path, how = {}) => (h2 ? openH2(connection, target, path, how) : openH1(target, path, how));
  for (const [name, run] of Object.entries(cases())) {
    // ws offers extensions in its own handshake only.
    if (h2 && name === "deflate") continue;
    const saw = [];
    try {
      await within(DEADLINE, run(open, (what) => saw.push(what)));
    } catch (error) {
      saw.push(`failed: ${error}`);
    }
    say({ case: name, saw });
  }
  connection?.destroy();
};

async function within(limit, promise) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("no end")), limit)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// A session: its socket, and what it has said in order, as an iterator.
class Session {
  constructor(socket) {
    this.socket = socket;
    this.heard = [];
    this.waiting = [];
    const hear = (what) => (this.waiting.length ? this.waiting.shift()(what) : this.heard.push(what));
    socket.on("message", (data, isBinary) => hear(shown(data, isBinary)));
    socket.on("pong", (data) => hear(`pong:${data}`));
    socket.on("close", (code, reason) => hear(`closed:${code}:${reason}`));
    // What went wrong is told by the close that follows.
    socket.on("error", () => {});
  }

  next() {
    if (this.heard.length) return Promise.resolve(this.heard.shift());
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}

function shown(data, isBinary) {
  if (!isBinary && data.length <= 100) return `text:${data}`;
  const sum = crypto.createHash("sha256").update(data).digest("hex").slice(0, 8);
  return `${isBinary ? "binary" : "text"}:${data.length}:${sum}`;
}

function openH1(target, path, { protocols = [], headers = {}, deflate = false }) {
  return new Promise((resolve, reject) => {
    const url = target.replace(/^http/, "ws") + path;
    const socket = new WebSocket(url, protocols, { headers, perMessageDeflate: deflate });
    const session = new Session(socket);
    socket.on("unexpected-response", (request, answer) => {
      request.destroy();
      reject(Object.assign(new Error("refused"), { status: answer.statusCode }));
    });
    socket.on("open", () => resolve(session));
    socket.on("error", reject);
  });
}

function connect(target) {
  return new Promise((resolve, reject) => {
    const connection = http2.connect(target);
    connection.on("error", reject);
    // Extended CONNECT may be used once the server's settings allow it (RFC 8441 §3).
    connection.on("remoteSettings", ({ enableConnectProtocol }) => {
      if (enableConnectProtocol) resolve(connection);
      else reject(new Error("the server does not allow extended CONNECT"));
    });
  });
}

function openH2(connection, target, path, { protocols = [], headers = {} }) {
  return new Promise((resolve, reject) => {
    const { protocol, host } = new URL(target);
    const stream = connection.request({
      ":method": "CONNECT", ":protocol": "websocket", ":scheme": protocol.slice(0, -1), ":authority": host, ":path": path,
      "sec-websocket-version": "13",
      ...(protocols.length ? { "sec-websocket-protocol": protocols.join(", ") } : {}),
      ...headers,
    }, { endStream: false });
    stream.on("error", reject);
    stream.on("response", (answer) => {
      if (answer[":status"] !== 200) {
        stream.close();
        return reject(Object.assign(new Error("refused"), { status: answer[":status"] }));
      }
      // ws has no constructor for a stream that is open already: this is what its own client does after a handshake.
      const socket = new WebSocket(null, undefined, { autoPong: true });
      socket._isServer = false;
      socket._protocol = answer["sec-websocket-protocol"] ?? "";
      const session = new Session(socket);
      socket.setSocket(stream, Buffer.alloc(0), { allowSynchronousEvents: true, maxPayload: 16 << 20, skipUTF8Validation: false });
      resolve(session);
    });
  });
}

function pattern(length) {
  return Buffer.alloc(length).map((_, place) => place % 251);
}

function cases() {
  const exchange = (path, ...messages) => async (open, see) => {
    const session = await open(path);
    for (const message of messages) {
      session.socket.send(message);
      see(await session.next());
    }
    session.socket.terminate();
  };
  const serverCloses = (path) => async (open, see) => {
    const session = await open(path);
    session.socket.send("go");
    see(await session.next());
  };
  const clientCloses = (end) => async (open, see) => {
    const key = crypto.randomUUID();
    const session = await open(`/ws/watch?key=${key}`);
    session.socket.send("first");
    see(await session.next());
    end(session.socket);
    await session.next();
    await exchange(`/ws/seen?key=${key}`, "go")(open, see);
  };
  const all = {
    text: exchange("/ws/echo", "hello", "κόσμε 🚀"),
    binary: exchange("/ws/echo", pattern(1000)),
    empty_text: exchange("/ws/echo", ""),
    empty_binary: exchange("/ws/echo", Buffer.alloc(0)),
    large_binary: exchange("/ws/echo", pattern(1 << 20)),
    large_text: exchange("/ws/echo", "0123456789abcdef".repeat(1 << 16)),
    async many(open, see) {
      const session = await open("/ws/echo");
      for (let number = 0; number < 500; number++) session.socket.send(String(number));
      for (let number = 0; number < 500; number++) {
        const heard = await session.next();
        if (heard !== `text:${number}`) throw new Error(`message ${number} is ${heard}`);
      }
      see("in order:500");
      session.socket.terminate();
    },
    async fragmented(open, see) {
      const session = await open("/ws/echo");
      session.socket.send("a", { fin: false });
      session.socket.send("b", { fin: false });
      session.socket.send("c", { fin: true });
      see(await session.next());
      session.socket.terminate();
    },
    answered_in_fragments: exchange("/ws/fragments", "go"),
    async ping(open, see) {
      const session = await open("/ws/echo");
      session.socket.ping("are you there");
      see((await session.next()) === "pong:are you there" ? "pong" : "another pong");
      session.socket.terminate();
    },
    pinged: exchange("/ws/ping", "go"),
    async header(open, see) {
      const session = await open("/ws/header", { headers: { "x-test": "a value" } });
      session.socket.send("go");
      see(await session.next());
      session.socket.terminate();
    },
    async subprotocol(open, see) {
      const session = await open("/ws/echo", { protocols: ["a.unknown", "b.echo"] });
      see(`protocol:${session.socket.protocol}`);
      session.socket.terminate();
    },
    async deflate(open, see) {
      const session = await open("/ws/echo", { deflate: true });
      see(`deflate:${session.socket.extensions.startsWith("permessage-deflate")}`);
      for (let round = 0; round < 2; round++) {
        session.socket.send("compress me ".repeat(10_000));
        see(await session.next());
      }
      session.socket.terminate();
    },
    server_aborts: serverCloses("/ws/abort"),
    client_aborts: clientCloses((socket) => socket.terminate()),
    async refused(open, see) {
      const refused = await open("/ws/refuse").then(() => undefined, (error) => error);
      see(`status:${refused?.status}`);
    },
  };
  for (const code of CODES) {
    all[`server_closes_${code}`] = serverCloses(`/ws/close?code=${code}&reason=because+${code}`);
    all[`client_closes_${code}`] = clientCloses((socket) => socket.close(code, `since ${code}`));
  }
  return all;
}
