// HTTP, WebSocket and event stream programs on Node's http and http2, ws, eventsource and playwright-core; ../WEB.md says
// what each owes.
"use strict";

const { parseArgs } = require("node:util");

const VERBS = {
  http: { load: () => require("./http.js").call, options: { target: undefined, requests: "0", kinds: false } },
  websocket: { load: () => require("./websocket-client.js").call, options: { target: undefined, h2: false } },
  "websocket-server": { load: () => require("./websocket-server.js").serve, options: { h2: false } },
  events: { load: () => require("./events.js").follow, options: { target: undefined } },
  browser: { load: () => require("./browser.js").open, options: { target: undefined, executable: undefined } },
};

function read([verb, ...words]) {
  if (!(verb in VERBS)) throw new Error(`${Object.keys(VERBS).join(", ")}, not ${verb}`);
  const options = {};
  for (const [name, value] of Object.entries(VERBS[verb].options)) {
    options[name] = typeof value === "boolean" ? { type: "boolean", default: value } : { type: "string", default: value };
  }
  const { values } = parseArgs({ args: words, options });
  for (const name of Object.keys(options)) if (values[name] === undefined) throw new Error(`--${name} is missing`);
  return () => VERBS[verb].load()(values);
}

(async () => {
  try {
    await read(process.argv.slice(2))();
    process.exit(0);
  } catch (error) {
    console.error(error.stack);
    process.exit(2);
  }
})();
