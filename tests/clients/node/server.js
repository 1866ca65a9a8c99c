// The server: the four methods of the service; every answer bears the server's name.
"use strict";

const { setTimeout: pause } = require("node:timers/promises");
const grpc = require("@grpc/grpc-js");

const SERVICE = "evenkeel.test.Echo";
const same = (bytes) => bytes;

function method(name, requestStream, responseStream) {
  return {
    path: `/${SERVICE}/${name}`,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

const METHODS = {
  unary: method("Unary", false, false),
  serverStream: method("ServerStream", false, true),
  clientStream: method("ClientStream", true, false),
  bidi: method("Bidi", true, true),
  cancelled: method("Cancelled", false, false),
};

class Echo {
  constructor(name, delayMs) {
    this.name = name;
    this.delayMs = delayMs;
    this.watches = new Map();
  }

  // Done once the watched call of this key has been cancelled; made by whoever comes first.
  watch(key) {
    if (!this.watches.has(key)) {
      const watch = {};
      watch.done = new Promise((mark) => { watch.mark = mark; });
      this.watches.set(key, watch);
    }
    return this.watches.get(key);
  }

  // Sends the headers unless the trailers shall be all, waits, and throws the status where the request asks for one.
  async begin(call) {
    const [watched] = call.metadata.get("x-watch");
    if (watched !== undefined) call.on("cancelled", () => this.watch(watched).mark());
    if (call.metadata.get("x-trailers-only").length === 0) {
      const headers = new grpc.Metadata();
      headers.set("x-backend", this.name);
      call.sendMetadata(headers);
    }
    const trailers = new grpc.Metadata();
    trailers.set("x-backend-trailer", this.name);
    for (const key of ["x-echo", "x-echo-bin"]) {
      for (const value of call.metadata.get(key)) trailers.add(key, value);
    }
    for (const details of call.metadata.get("x-details-bin")) trailers.set("grpc-status-details-bin", details);
    const [asked] = call.metadata.get("x-delay-ms");
    const delayMs = asked === undefined ? this.delayMs : Number(asked);
    if (delayMs > 0) await pause(delayMs);
    const [fail] = call.metadata.get("x-fail");
    if (fail !== undefined) {
      const colon = fail.indexOf(":");
      throw { code: grpc.status[fail.slice(0, colon)], details: fail.slice(colon + 1), metadata: trailers };
    }
    return trailers;
  }

  unary(call, answer) {
    this.begin(call).then((trailers) => answer(null, call.request, trailers), answer);
  }

  serverStream(call) {
    const [count] = call.metadata.get("x-count");
    this.begin(call).then((trailers) => {
      for (let left = Number(count ?? 5); left > 0; left -= 1) call.write(call.request);
      call.end(trailers);
    }, (status) => call.emit("error", status));
  }

  clientStream(call, answer) {
    const parts = [];
    call.on("data", (bytes) => parts.push(bytes));
    const ended = new Promise((done) => call.on("end", done));
    Promise.all([this.begin(call), ended]).then(([trailers]) => answer(null, Buffer.concat(parts), trailers), answer);
  }

  cancelled(call, answer) {
    const done = this.watch(call.request.toString()).done;
    Promise.all([this.begin(call), done]).then(([trailers]) => answer(null, call.request, trailers), answer);
  }

  bidi(call) {
    this.begin(call).then((trailers) => {
      call.on("data", (bytes) => call.write(bytes));
      call.on("end", () => call.end(trailers));
    }, (status) => call.emit("error", status));
  }
}

async function serve(values) {
  const echo = new Echo(values.name, values["delay-ms"]);
  const server = new grpc.Server();
  const handlers = Object.keys(METHODS).map((name) => [name, (...given) => echo[name](...given)]);
  server.addService(METHODS, Object.fromEntries(handlers));
  const port = await new Promise((done, failed) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync(`127.0.0.1:${values.port}`, credentials, (error, bound) => (error ? failed(error) : done(bound)));
  });
  const stopped = new Promise((done) => {
    process.once("SIGTERM", () => server.tryShutdown(done));
  });
  console.log(`READY ${port}`);
  const error = await stopped;
  if (error) throw error;
}

module.exports = { METHODS, serve };
