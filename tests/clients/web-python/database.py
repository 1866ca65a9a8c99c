"""A few dozen operations on a real server by its real client, and what they gave, a line of JSON each."""

import hashlib
import json

USER = "evenkeel"
PASSWORD = "on-loopback-only"
ROUNDS = 20
LARGE = 1 << 20


def operate(target, kind):
    host, _, port = target.partition(":")
    OPERATE[kind](host, int(port))


def _say(**what):
    print(json.dumps(what, default=str), flush=True)


def _sum(data):
    return hashlib.sha256(data if isinstance(data, bytes) else data.encode()).hexdigest()[:16]


def _postgresql(host, port):
    import psycopg

    with psycopg.connect(host=host, port=port, user=USER, dbname="postgres", connect_timeout=10) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TEMP TABLE kept (id int PRIMARY KEY, word text)")
        for number in range(ROUNDS):
            cursor.execute("INSERT INTO kept VALUES (%s, %s)", (number, f"word {number}"))
            connection.commit()
            cursor.execute("SELECT word FROM kept WHERE id = %s", (number,))
            _say(select=cursor.fetchone())
        with cursor.copy("COPY kept FROM STDIN") as copy:
            for number in range(ROUNDS, 10_000):
                copy.write_row((number, "copied"))
        cursor.execute("SELECT count(*), sum(id) FROM kept")
        _say(copied=cursor.fetchone())
        cursor.execute("SELECT repeat('0123456789abcdef', 65536)")
        _say(large=_sum(cursor.fetchone()[0]))
        try:
            cursor.execute("SELECT 1 / 0")
        except psycopg.errors.DivisionByZero as error:
            _say(error=error.sqlstate)
            connection.rollback()
        cursor.execute("SELECT generate_series(1, 20000)")
        _say(rows=len(cursor.fetchall()))
    # A second connection tells the first of something, as LISTEN and NOTIFY do.
    with (
        psycopg.connect(host=host, port=port, user=USER, dbname="postgres", autocommit=True) as hears,
        psycopg.connect(host=host, port=port, user=USER, dbname="postgres", autocommit=True) as tells,
    ):
        hears.execute("LISTEN evenkeel")
        tells.execute("NOTIFY evenkeel, 'told'")
        heard = next(hears.notifies(timeout=10, stop_after=1))
        _say(notified=heard.payload)


def _mariadb(host, port):
    import pymysql

    connection = pymysql.connect(host=host, port=port, user=USER, password=PASSWORD, database="test_evenkeel")
    cursor = connection.cursor()
    cursor.execute("CREATE TEMPORARY TABLE kept (id int PRIMARY KEY, word text)")
    for number in range(ROUNDS):
        cursor.execute("INSERT INTO kept VALUES (%s, %s)", (number, f"word {number}"))
        connection.commit()
        cursor.execute("SELECT word FROM kept WHERE id = %s", (number,))
        _say(select=cursor.fetchone())
    cursor.executemany("INSERT INTO kept VALUES (%s, %s)", [(number, "more") for number in range(ROUNDS, 5000)])
    cursor.execute("SELECT count(*), sum(id) FROM kept")
    _say(inserted=cursor.fetchone())
    cursor.execute("SELECT repeat('0123456789abcdef', 65536)")
    _say(large=_sum(cursor.fetchone()[0]))
    try:
        cursor.execute("SELECT * FROM nowhere")
    except pymysql.err.ProgrammingError as error:
        _say(error=error.args[0])
    connection.ping(reconnect=False)
    connection.close()


def _redis(host, port):
    import redis

    client = redis.Redis(host=host, port=port)
    client.flushall()
    for number in range(ROUNDS):
        client.set(f"key {number}", f"value {number}")
        _say(get=client.get(f"key {number}").decode())
    with client.pipeline() as pipeline:
        for _ in range(1000):
            pipeline.incr("counted")
        _say(counted=pipeline.execute()[-1])
    large = bytes(place % 251 for place in range(LARGE))
    client.set("large", large)
    _say(large=_sum(client.get("large")), same=client.get("large") == large)
    with client.pubsub() as hears:
        hears.subscribe("channel")
        hears.get_message(timeout=10)
        _say(receivers=client.publish("channel", "told"))
        _say(heard=hears.get_message(timeout=10)["data"].decode())
    _say(popped=client.blpop("nothing yet", timeout=1))
    try:
        client.execute_command("NO-SUCH")
    except redis.ResponseError:
        _say(error="refused")


def _rabbitmq(host, port):
    import pika

    parameters = pika.ConnectionParameters(host=host, port=port, heartbeat=5)
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    channel.confirm_delivery()
    queue = channel.queue_declare("", exclusive=True).method.queue
    for number in range(ROUNDS):
        channel.basic_publish("", queue, f"message {number}".encode(), mandatory=True)
        method, _, body = channel.basic_get(queue)
        channel.basic_ack(method.delivery_tag)
        _say(got=body.decode())
    for number in range(500):
        channel.basic_publish("", queue, str(number).encode())
    heard = []
    for method, _, body in channel.consume(queue, inactivity_timeout=10):
        if method is None:
            break
        heard.append(int(body))
        channel.basic_ack(method.delivery_tag)
        if len(heard) == 500:
            break
    channel.cancel()
    _say(consumed=len(heard), in_order=heard == sorted(heard))
    large = bytes(place % 251 for place in range(LARGE))
    channel.basic_publish("", queue, large)
    _, _, body = channel.basic_get(queue, auto_ack=True)
    _say(large=_sum(body), same=body == large)
    try:
        channel.queue_declare("no such queue", passive=True)
    except pika.exceptions.ChannelClosedByBroker as error:
        _say(error=error.reply_code)
    connection.close()


OPERATE = {"postgresql": _postgresql, "mariadb": _mariadb, "redis": _redis, "rabbitmq": _rabbitmq}
