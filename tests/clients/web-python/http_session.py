"""Requests over one requests.Session."""

import collections
import json
import os

import requests

LARGE = 4 << 20


def call(target, requests, kinds):
    report = {"requests": 0, "errors": 0, "first_error": "", "kinds": {}}
    per_backend, protocols = collections.Counter(), collections.Counter()
    with _session() as session:
        for number in range(requests):
            report["requests"] += 1
            try:
                answer = _echo(session, target, number) if number % 2 else _get(session, target)
                per_backend[answer.headers["x-backend"]] += 1
                protocols[answer.headers["x-protocol"]] += 1
            except Exception as error:
                report["errors"] += 1
                report["first_error"] = report["first_error"] or repr(error)
        for name, kind in KINDS.items() if kinds else ():
            try:
                kind(session, target)
                report["kinds"][name] = "ok"
            except Exception as error:
                report["kinds"][name] = f"failed: {error!r}"
    print(json.dumps(report | {"per_backend": per_backend, "protocols": protocols}))


def _session():
    session = requests.Session()
    # Proxies of the environment are nothing to loopback.
    session.trust_env = False
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE", True)
    return session


def _get(session, target):
    answer = session.get(target + "/", timeout=10)
    answer.raise_for_status()
    assert answer.text == answer.headers["x-backend"] + "\n", answer.text
    return answer


def _echo(session, target, number):
    body = f"request {number} ".encode() + b"x" * (number % 200)
    answer = session.post(target + "/echo", data=body, timeout=10)
    answer.raise_for_status()
    assert answer.content == body, answer.content
    return answer


def _same(session, target, body, wanted, length):
    answer = session.post(target + "/echo", data=body, timeout=20)
    assert answer.content == wanted, f"{len(answer.content)} bytes came back, not the same"
    assert answer.headers["x-length"] == length, answer.headers


def _head(session, target):
    answer = session.head(target + "/", timeout=10)
    assert int(answer.headers["content-length"]) > 0 and answer.content == b"", answer.headers


def _status(code):
    def ask(session, target):
        answer = session.get(f"{target}/status/{code}", timeout=10)
        seen = (answer.status_code, answer.content, answer.headers["etag"])
        assert seen == (code, b"", '"the-tag"'), seen

    return ask


PATTERN = bytes(place % 251 for place in range(LARGE))

KINDS = {
    "head": _head,
    "echo": lambda session, target: _same(session, target, b"a body", b"a body", "6"),
    "large": lambda session, target: _same(session, target, PATTERN, PATTERN, str(LARGE)),
    "no_content": _status(204),
    "not_modified": _status(304),
    # A generator's length is not known: it goes in chunks.
    "chunked": lambda session, target: _same(session, target, iter([b"one ", b"two"]), b"one two", "-1"),
}
