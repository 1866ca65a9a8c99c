// Follows an event stream by eventsource, a line for each event, until SIGTERM.
"use strict";

const { say } = require("./say.js");

exports.follow = async function follow({ target }) {
  const { EventSource } = await import("eventsource");
  const events = new EventSource(target + "/events");
  events.addEventListener("open", () => say({ events: "open" }));
  for (const kind of ["message", "named"]) {
    events.addEventListener(kind, ({ data, lastEventId }) => say({ event: kind, data, id: lastEventId }));
  }
  return new Promise((resolve) => process.on("SIGTERM", resolve));
};
