"""HTTP, WebSocket, event stream and database programs on requests, websockets, aiohttp, requests-sse and the databases' own
clients; ../WEB.md says what each owes."""

import argparse
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    http = verbs.add_parser("http")
    http.add_argument("--target", required=True)
    http.add_argument("--requests", type=int, default=0)
    http.add_argument("--kinds", action="store_true")
    websocket = verbs.add_parser("websocket")
    websocket.add_argument("--target", required=True)
    websocket.add_argument("--library", choices=["websockets", "aiohttp"], required=True)
    verbs.add_parser("websocket-server")
    events = verbs.add_parser("events")
    events.add_argument("--target", required=True)
    database = verbs.add_parser("database")
    database.add_argument("--target", required=True)
    database.add_argument("--kind", choices=["postgresql", "mariadb", "redis", "rabbitmq"], required=True)
    options = parser.parse_args()
    if options.verb == "http":
        from http_session import call as run
    elif options.verb == "websocket":
        from websocket_client import call as run
    elif options.verb == "websocket-server":
        from websocket_server import serve as run
    elif options.verb == "events":
        from events import follow as run
    else:
        from database import operate as run
    words = {name: value for name, value in vars(options).items() if name != "verb"}
    run(**words)


if __name__ == "__main__":
    sys.exit(main())
