"""Publishes a billing row and waits until peerwright has proven it on the host. Usage: publish.py ROW.json"""

import json
import os
import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

SOURCE = "billing"  # a name under `sources` in peerwright's configuration
BROKERS, EVENT_TOPIC, STATUS_TOPIC, WAIT = (
    os.environ[name] for name in ("BROKERS", "EVENT_TOPIC", "STATUS_TOPIC", "WAIT_SECONDS"))
DEADLINE = time.monotonic() + float(WAIT)


def seconds_left():
    return max(0.0, DEADLINE - time.monotonic())


def finish(code, words):
    print(words, file=sys.stdout if code < 2 else sys.stderr, flush=True)
    os._exit(code)  # at once: the client would still try to reach its broker


def publish(row, event_id):
    producer = Producer({"bootstrap.servers": BROKERS, "enable.idempotence": True, "acks": "all",
                         "partitioner": "murmur2_random"})  # as Java; the default puts a key elsewhere
    headers = {"ce_specversion": "1.0", "ce_id": event_id, "ce_source": SOURCE, "ce_sequence": str(row["version"]),
               "ce_type": "peerwright.peer.provision.v1", "content-type": "application/json"}
    data = {name: row[name] for name in ("tenant", "peer", "subscriber", "server", "public_key")}
    errors = []
    producer.produce(EVENT_TOPIC, key=f"{row['tenant']}/{row['subscriber']}", value=json.dumps(data), headers=headers,
                     on_delivery=lambda error, _: errors.append(error) if error else None)
    if producer.flush(seconds_left()) > 0 or errors:
        finish(3, f"{event_id}: no acknowledgement, run it again: {errors or 'too late'}")


def wait_for_status(row, event_id):
    consumer = Consumer({"bootstrap.servers": BROKERS, "group.id": "not-used", "enable.auto.commit": False})
    partitions = consumer.list_topics(STATUS_TOPIC, timeout=seconds_left()).topics[STATUS_TOPIC].partitions
    consumer.assign([TopicPartition(STATUS_TOPIC, number, OFFSET_BEGINNING) for number in partitions])
    accepted = False
    while seconds_left() > 0:
        for message in consumer.consume(100, min(seconds_left(), 0.1)):
            said = {} if message.error() else json.loads(message.value())
            if said.get("source") == SOURCE and said.get("id") == event_id:  # only a rejection has these
                finish(1, message.value().decode())
            if said.get("tenant") == row["tenant"] and said.get("peer") == row["peer"]:
                accepted = accepted or said.get("cause") == f"{SOURCE}/{event_id}"  # a later one's proof is ours too
                if accepted and said.get("delivery") == "applied":
                    finish(0, message.value().decode())
    finish(2, f"{event_id}: no status in time; it is sent and will be executed")


with open(sys.argv[1], encoding="utf-8") as file:
    billing_row = json.load(file)
billing_id = f"row-{billing_row['id']}-{billing_row['version']}"  # the same at each attempt
publish(billing_row, billing_id)
wait_for_status(billing_row, billing_id)
