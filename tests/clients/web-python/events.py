"""Follows an event stream by requests-sse, a line for each event, until SIGTERM."""

import json
from datetime import timedelta

import requests
from requests_sse import EventSource


def follow(target):
    def say(what):
        print(json.dumps(what), flush=True)

    with requests.Session() as session:
        session.trust_env = False
        with EventSource(
            target + "/events", session=session, reconnection_time=timedelta(milliseconds=100),
            on_open=lambda: say({"events": "open"}),
        ) as events:
            for event in events:
                say({"event": event.type, "data": event.data, "id": event.last_event_id})
