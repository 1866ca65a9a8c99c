// A gRPC echo server and client on @grpc/grpc-js; ../README.md says what both owe.
"use strict";

const { parseArgs } = require("node:util");
const { serve } = require("./server.js");
const { call } = require("./client.js");

const VERBS = {
  server: { run: serve, options: { port: "0", name: undefined, "delay-ms": "0" } },
  client: {
    run: call,
    options: {
      target: undefined, calls: "0", seconds: "0", concurrency: "1", "delay-ms": "0", "deadline-ms": "10000",
    },
  },
};

function read([verb, ...words]) {
  if (!(verb in VERBS)) throw new Error(`server or client, not ${verb}`);
  const options = { kinds: { type: "boolean", default: false } };
  for (const [name, value] of Object.entries(VERBS[verb].options)) options[name] = { type: "string", default: value };
  const { values } = parseArgs({ args: words, options });
  for (const name of Object.keys(VERBS[verb].options)) {
    if (values[name] === undefined) throw new Error(`--${name} is missing`);
    if (name === "name" || name === "target") continue;
    const number = Number(values[name]);
    if (!(number >= 0)) throw new Error(`--${name} is not a number: ${values[name]}`);
    values[name] = number;
  }
  return () => VERBS[verb].run(values);
}

(async () => {
  try {
    await read(process.argv.slice(2))();
    process.exit(0);
  } catch (error) {
    console.error(error.message);
    process.exit(2);
  }
})();
