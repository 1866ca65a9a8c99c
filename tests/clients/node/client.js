// The client: unary calls on one channel, a fixed number in flight, and each kind of call once.
"use strict";

const grpc = require("@grpc/grpc-js");
const { METHODS } = require("./server.js");

const same = (bytes) => bytes;
// A google.rpc.Status: NOT_FOUND, "100% gone", and a detail of type a.test/Why.
const DETAILS = Buffer.from("\x08\x05\x12\x09100% gone\x1a\x11\x0a\x0aa.test/Why\x12\x03\x00\x01\xff", "latin1");
// The largest message that every library takes without being told to.
const LARGEST = 4 * 1024 * 1024;
const codeName = (code) => grpc.status[code] ?? `CODE_${code}`;

class Mismatch extends Error {}

function want(what, got, wanted) {
  const equal = Buffer.isBuffer(wanted) ? Buffer.isBuffer(got) && wanted.equals(got) : got === wanted;
  if (!equal) throw new Mismatch(`${what}: ${String(got).slice(0, 80)} instead of ${String(wanted).slice(0, 80)}`);
}

function metadata(pairs) {
  const given = new grpc.Metadata();
  for (const [key, value] of Object.entries(pairs)) given.set(key, value);
  return given;
}

// Headers and status of a call; the status comes last, after the answers.
function ending(call) {
  return new Promise((done) => {
    let headers = new grpc.Metadata();
    call.on("metadata", (given) => { headers = given; });
    call.on("status", (status) => done({ headers, status }));
  });
}

function backendOf({ headers, status }) {
  const [first] = headers.get("x-backend");
  const [last] = status.metadata.get("x-backend-trailer");
  if (first === undefined || first !== last) throw new Mismatch(`header ${first}, trailer ${last}`);
  return first;
}

async function unary(client, payload, pairs, deadlineMs) {
  let answer;
  const options = { deadline: Date.now() + deadlineMs };
  const keep = (_error, message) => { answer = message; };
  const call = client.makeUnaryRequest(METHODS.unary.path, same, same, payload, metadata(pairs), options, keep);
  const end = await ending(call);
  return { answer, ...end };
}

class Load {
  constructor(client, values) {
    this.client = client;
    this.values = values;
    this.stopped = false;
    this.calls = 0;
    this.codes = {};
    this.micros = {};
  }

  another() {
    if (this.stopped) return false;
    const { seconds, calls } = this.values;
    return seconds > 0 ? performance.now() < this.until : this.calls < calls;
  }

  async one(payload) {
    const delay = this.values["delay-ms"];
    const start = performance.now();
    const end = await unary(this.client, payload, delay ? { "x-delay-ms": `${delay}` } : {}, this.values["deadline-ms"]);
    const took = Math.round((performance.now() - start) * 1000);
    if (end.status.code !== grpc.status.OK) return this.failed(codeName(end.status.code));
    try {
      want("answer", end.answer, payload);
      (this.micros[backendOf(end)] ??= []).push(took);
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error;
      this.failed("MISMATCH");
    }
  }

  failed(code) {
    this.codes[code] = (this.codes[code] ?? 0) + 1;
  }

  async lane() {
    while (this.another()) {
      this.calls += 1;
      await this.one(Buffer.from(`node-${this.calls}`));
    }
  }

  async run() {
    this.until = performance.now() + this.values.seconds * 1000;
    await Promise.all(Array.from({ length: this.values.concurrency }, () => this.lane()));
  }

  report() {
    const every = Object.values(this.micros).flat();
    const each = (pick) => Object.fromEntries(Object.entries(this.micros).map(([name, micros]) => [name, pick(micros)]));
    return {
      calls: this.calls,
      errors: Object.values(this.codes).reduce((sum, count) => sum + count, 0),
      error_codes: this.codes,
      per_backend: each((micros) => micros.length),
      p50_us: quantile(every, 0.5),
      p99_us: quantile(every, 0.99),
      p99_us_per_backend: each((micros) => quantile(micros, 0.99)),
    };
  }
}

function quantile(values, share) {
  if (values.length === 0) return 0;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

// All answers of a stream, then its backend.
async function streamed(call) {
  const answers = [];
  call.on("data", (bytes) => answers.push(bytes));
  call.on("error", () => {}); // the status says it
  const end = await ending(call);
  if (end.status.code !== grpc.status.OK) throw new Mismatch(`${codeName(end.status.code)} ${end.status.details}`);
  backendOf(end);
  return Buffer.concat(answers);
}

const KINDS = {
  async unary(client, deadlineMs) {
    const end = await unary(client, Buffer.from("one"), {}, deadlineMs);
    want("answer", end.answer, Buffer.from("one"));
    backendOf(end);
  },
  async server_stream(client, deadlineMs) {
    const { path } = METHODS.serverStream;
    const options = { deadline: Date.now() + deadlineMs };
    const given = metadata({ "x-count": "7" });
    const call = client.makeServerStreamRequest(path, same, same, Buffer.from("many"), given, options);
    want("answers", await streamed(call), Buffer.from("many".repeat(7)));
  },
  async client_stream(client, deadlineMs) {
    let answer;
    const { path } = METHODS.clientStream;
    const options = { deadline: Date.now() + deadlineMs };
    const keep = (_error, message) => { answer = message; };
    const call = client.makeClientStreamRequest(path, same, same, metadata({}), options, keep);
    const end = ending(call);
    for (const message of ["a", "", "bc"]) call.write(Buffer.from(message));
    call.end();
    backendOf(await end);
    want("answer", answer, Buffer.from("abc"));
  },
  async bidi(client, deadlineMs) {
    await eachEchoed(client, [Buffer.from("ping"), Buffer.alloc(0), Buffer.alloc(70_000, "x")], {}, deadlineMs);
  },
  async gzip(client, deadlineMs) {
    // A channel compresses all or nothing.
    const compressing = newClient(client.getChannel().getTarget(), {
      "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip,
    });
    const messages = [Buffer.alloc(100_000, "z"), Buffer.from("plain")];
    await eachEchoed(compressing, messages, { "x-gzip": "1" }, deadlineMs);
    compressing.close();
  },
  async metadata(client, deadlineMs) {
    const binary = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const given = { "x-echo": "some text", "x-echo-bin": binary };
    const { status } = await unary(client, Buffer.from("m"), given, deadlineMs);
    want("x-echo", status.metadata.get("x-echo")[0], "some text");
    want("x-echo-bin", status.metadata.get("x-echo-bin")[0], binary);
  },
  async status(client, deadlineMs) {
    const { status } = await unary(client, Buffer.from("s"), { "x-fail": "NOT_FOUND:100% gone" }, deadlineMs);
    want("code", codeName(status.code), "NOT_FOUND");
    want("message", status.details, "100% gone");
  },
  async details(client, deadlineMs) {
    const given = { "x-fail": "NOT_FOUND:100% gone", "x-details-bin": DETAILS };
    const { status } = await unary(client, Buffer.from("d"), given, deadlineMs);
    want("code", codeName(status.code), "NOT_FOUND");
    want("details", status.metadata.get("grpc-status-details-bin")[0], DETAILS);
  },
  async trailers_only(client, deadlineMs) {
    const given = { "x-trailers-only": "1", "x-fail": "ABORTED:at once" };
    const { headers, status } = await unary(client, Buffer.from("t"), given, deadlineMs);
    want("code", codeName(status.code), "ABORTED");
    want("message", status.details, "at once");
    want("headers", headers.get("x-backend").length, 0);
    want("trailers", status.metadata.get("x-backend-trailer").length, 1);
  },
  async large(client, deadlineMs) {
    const sent = Buffer.from(Uint8Array.from({ length: LARGEST }, (_, at) => at % 251));
    want("answer", (await unary(client, sent, {}, deadlineMs)).answer, sent);
  },
  async deadline(client, deadlineMs) {
    const key = `node-${Date.now()}-deadline`;
    const start = performance.now();
    const { status } = await unary(client, Buffer.from("late"), { "x-watch": key, "x-delay-ms": "600000" }, 500);
    // A server that keeps the same time may reset the call just before the timer here, which grpc-js, unlike the others, calls
    // CANCELLED even when the time is over.
    const isOver = performance.now() - start >= 499;
    const code = codeName(status.code);
    want("code", isOver && code === "CANCELLED" ? "DEADLINE_EXCEEDED" : code, "DEADLINE_EXCEEDED");
    await seenCancelled(client, key, deadlineMs);
  },
  async cancel(client, deadlineMs) {
    const key = `node-${Date.now()}-cancel`;
    const options = { deadline: Date.now() + deadlineMs };
    const given = metadata({ "x-watch": key, "x-delay-ms": "600000" });
    const call = client.makeBidiStreamRequest(METHODS.bidi.path, same, same, given, options);
    call.on("error", () => {}); // the status says it
    call.once("metadata", () => call.cancel());
    const { status } = await ending(call);
    want("code", codeName(status.code), "CANCELLED");
    await seenCancelled(client, key, deadlineMs);
  },
};

// Sends each message once the one before has come back.
async function eachEchoed(client, messages, given, deadlineMs) {
  const options = { deadline: Date.now() + deadlineMs };
  const call = client.makeBidiStreamRequest(METHODS.bidi.path, same, same, metadata(given), options);
  let next = 0;
  call.write(messages[0]);
  call.on("data", () => {
    next += 1;
    if (next < messages.length) call.write(messages[next]);
    else call.end();
  });
  want("answers", await streamed(call), Buffer.concat(messages));
}

// Waits until the server has seen the end of the call that it watches by this key.
async function seenCancelled(client, key, deadlineMs) {
  const { path } = METHODS.cancelled;
  const options = { deadline: Date.now() + deadlineMs };
  const call = client.makeUnaryRequest(path, same, same, Buffer.from(key), metadata({}), options, () => {});
  const { status } = await ending(call);
  want("seen by the server", codeName(status.code), "OK");
}

async function eachKind(client, deadlineMs) {
  const done = {};
  for (const [name, run] of Object.entries(KINDS)) {
    try {
      await run(client, deadlineMs);
      done[name] = "ok";
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error;
      done[name] = `failed: ${error.message}`;
    }
  }
  return done;
}

function newClient(target, more) {
  return new grpc.Client(target, grpc.credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_http_proxy": 0,
    ...more,
  });
}

async function call(values) {
  const client = newClient(values.target, {});
  await new Promise((done, failed) => {
    const late = () => failed(new Error(`nothing answers at ${values.target}`));
    client.waitForReady(Date.now() + values["deadline-ms"], (error) => (error ? late() : done()));
  });
  const load = new Load(client, values);
  process.once("SIGTERM", () => { load.stopped = true; });
  await load.run();
  const report = load.report();
  if (values.kinds) report.kinds = await eachKind(client, values["deadline-ms"]);
  client.close();
  await new Promise((done) => process.stdout.write(`${JSON.stringify(report)}\n`, done));
}

module.exports = { call };
