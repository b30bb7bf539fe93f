// Publishes a billing row and waits until peerwright has proven it on the host. Usage: publish.js ROW.json
'use strict';

const { readFileSync } = require('node:fs');
const { randomUUID } = require('node:crypto');
const { Kafka, Partitioners, logLevel } = require('kafkajs');

const SOURCE = 'billing'; // a name under `sources` in peerwright's configuration
const { BROKERS, EVENT_TOPIC, STATUS_TOPIC, WAIT_SECONDS } = process.env;
const row = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const eventId = `row-${row.id}-${row.version}`; // the same at each attempt
const kafka = new Kafka({ brokers: BROKERS.split(','), logLevel: logLevel.NOTHING });
let sent = false;

function finish(code, words) {
  (code < 2 ? process.stdout : process.stderr).write(`${words}\n`, () => process.exit(code));
}

function giveUp(why) {
  if (sent) finish(2, `${eventId}: no status in time; it is sent and will be executed`);
  else finish(3, `${eventId}: no acknowledgement, run it again: ${why}`);
}

async function publish() {
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1, // kafkajs keeps the order only so
    createPartitioner: Partitioners.DefaultPartitioner, // murmur2, as Java
  });
  await producer.connect();
  const { tenant, peer, subscriber, server, public_key } = row;
  const value = JSON.stringify({ tenant, peer, subscriber, server, public_key });
  const headers = {
    ce_specversion: '1.0', ce_id: eventId, ce_source: SOURCE, ce_sequence: String(row.version),
    ce_type: 'peerwright.peer.provision.v1', 'content-type': 'application/json',
  };
  const message = { key: `${tenant}/${subscriber}`, value, headers };
  await producer.send({ topic: EVENT_TOPIC, acks: -1, messages: [message] }); // flushes, waits for the acknowledgement
  sent = true;
}

async function waitForStatus() {
  const consumer = kafka.consumer({ groupId: `publish-${randomUUID()}` }); // a group of its own: it has to read all
  await consumer.connect();
  await consumer.subscribe({ topic: STATUS_TOPIC, fromBeginning: true });
  let accepted = false;
  const eachMessage = async ({ message }) => {
    const said = JSON.parse(message.value);
    if (said.source === SOURCE && said.id === eventId) finish(1, message.value); // only a rejection has these
    if (said.tenant !== row.tenant || said.peer !== row.peer) return;
    accepted ||= said.cause === `${SOURCE}/${eventId}`; // a later one's proof is ours too
    if (accepted && said.delivery === 'applied') finish(0, message.value);
  };
  await consumer.run({ autoCommit: false, eachMessage });
}

setTimeout(giveUp, Number(WAIT_SECONDS) * 1000, 'too late');
publish().then(waitForStatus).catch(giveUp);
