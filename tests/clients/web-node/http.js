// Requests over an http.Agent with one socket.
"use strict";

const http = require("node:http");
const https = require("node:https");
const assert = require("node:assert");
const { say } = require("./say.js");

const LARGE = 4 << 20;

exports.call = async function call({ target, requests, kinds }) {
  const { Agent } = target.startsWith("https:") ? https : http;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const send = (method, path, how = {}) => exchange(target, agent, method, path, how);
  const report = { requests: 0, errors: 0, first_error: "", per_backend: {}, protocols: {}, kinds: {} };
  for (let number = 0; number < Number(requests); number++) {
    report.requests++;
    try {
      const answer = number % 2 ? await echo(send, number) : await get(send);
      count(report.per_backend, answer.headers["x-backend"]);
      count(report.protocols, answer.headers["x-protocol"]);
    } catch (error) {
      report.errors++;
      report.first_error ||= String(error);
    }
  }
  if (kinds) {
    for (const [name, kind] of Object.entries(KINDS)) {
      try {
        await kind(send);
        report.kinds[name] = "ok";
      } catch (error) {
        report.kinds[name] = `failed: ${error}`;
      }
    }
  }
  say(report);
};

function count(counts, name) {
  counts[name] = (counts[name] ?? 0) + 1;
}

async function get(send) {
  const answer = await send("GET", "/");
  assert.strictEqual(answer.body.toString(), answer.headers["x-backend"] + "\n");
  return answer;
}

async function echo(send, number) {
  const body = Buffer.from(`request ${number} ` + "x".repeat(number % 200));
  const answer = await send("POST", "/echo", { body, headers: { "content-length": body.length } });
  assert.ok(answer.body.equals(body));
  return answer;
}

function exchange(target, agent, method, path, { headers = {}, body, parts, trailers, expect, status = 200 }) {
  return new Promise((resolve, reject) => {
    const interim = [];
    const { request: ask } = target.startsWith("https:") ? https : http;
    const request = ask(target + path, { agent, method, headers });
    request.on("information", ({ statusCode, headers }) => interim.push({ statusCode, headers }));
    request.on("continue", () => {
      interim.push({ statusCode: 100 });
      if (expect) request.end(body);
    });
    request.on("error", reject);
    request.on("response", (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () => {
        const { statusCode, headers, trailers } = answer;
        const body = Buffer.concat(chunks);
        if (statusCode !== status) reject(new Error(`status ${statusCode}: ${body}`));
        else resolve({ headers, trailers, body, interim });
      });
    });
    if (expect) return request.flushHeaders();
    for (const part of parts ?? []) request.write(part);
    if (trailers) request.addTrailers(trailers);
    request.end(body);
  });
}

const KINDS = {
  async head(send) {
    const { headers, body } = await send("HEAD", "/");
    assert.ok(Number(headers["content-length"]) > 0);
    assert.strictEqual(body.length, 0);
  },
  async echo(send) {
    const { headers, body } = await send("POST", "/echo", { body: "a body", headers: { "content-length": 6 } });
    assert.deepStrictEqual([String(body), headers["x-length"]], ["a body", "6"]);
  },
  async large(send) {
    const sent = Buffer.alloc(LARGE).map((_, place) => place % 251);
    const { body } = await send("POST", "/echo", { body: sent, headers: { "content-length": LARGE } });
    assert.ok(body.equals(sent));
  },
  async no_content(send) {
    const { body, headers } = await send("GET", "/status/204", { status: 204 });
    assert.deepStrictEqual([body.length, headers.etag], [0, '"the-tag"']);
  },
  async not_modified(send) {
    const { body, headers } = await send("GET", "/status/304", { status: 304 });
    assert.deepStrictEqual([body.length, headers.etag], [0, '"the-tag"']);
  },
  async chunked(send) {
    const { body, headers } = await send("POST", "/echo", { parts: ["one ", "two"] });
    assert.deepStrictEqual([String(body), headers["x-length"]], ["one two", "-1"]);
  },
  async trailers(send) {
    const got = await send("GET", "/trailers");
    assert.deepStrictEqual([String(got.body), got.trailers["x-sum"]], ["part one\npart two\n", "42"]);
    const headers = { trailer: "x-sum" };
    const { body, trailers } = await send("POST", "/echo", { headers, parts: ["summed"], trailers: { "x-sum": "seven" } });
    assert.deepStrictEqual([String(body), trailers["x-sum-back"]], ["summed", "seven"]);
  },
  async continue(send) {
    const headers = { expect: "100-continue", "content-length": 11 };
    const { body, interim } = await send("POST", "/echo", { headers, expect: true, body: "asked first" });
    assert.deepStrictEqual([String(body), interim[0]?.statusCode], ["asked first", 100]);
  },
  async early_hints(send) {
    const { body, interim } = await send("GET", "/hints");
    assert.deepStrictEqual([String(body), interim[0]?.statusCode], ["hinted\n", 103]);
    assert.ok(interim[0].headers.link.includes("/style.css"));
  },
};
