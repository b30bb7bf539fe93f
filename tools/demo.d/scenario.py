"""What the demonstration shows, in order, and measures on the way. Run by tools/demo, which starts the parts."""
import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timezone

from parts import DIR, Client, Database, Failure, Host, StatusTopic, Worker, kcat, key_pair, peerwright, run, wait
from proof import Proof
from table import Table, milliseconds, say

FLEET_PEERS = 20  # of each server in a round
FLEET_ROUNDS = 30
TAKEOVER_SECONDS = 30
ROUTES = {"edge-1": ["10.200.0.0/16", "fd00:200::/64"], "edge-2": ["10.201.0.0/16", "fd00:201::/64"]}
RESTART_SECONDS = 3
IDLE_SECONDS = 0.1
# Servers that a worker holds, and how many of their peers are proven.
LEFT_BEHIND = """
SELECT s.name AS server, (SELECT count(*) FROM peers p WHERE p.server_id = s.id AND p.generation = p.applied_generation
                            AND p.stage = 'provisioned' AND p.proven <> '') AS proven
FROM deliveries d JOIN servers s ON s.id = d.server_id JOIN workers w ON w.id = d.worker_id WHERE w.name = '{}'
"""


class Sender:
    """A system that publishes events: it numbers them, and sends what it is not sure of again."""

    def __init__(self, source):
        self.source = source
        self.sequence = 1000
        self.sent = 0

    def event(self, name, data):
        self.sequence += 1
        return {"specversion": "1.0", "id": f"{self.source}-{self.sequence}", "source": self.source,
                "type": f"peerwright.{name}.v1", "time": datetime.now(timezone.utc).isoformat(),
                "sequence": str(self.sequence), "datacontenttype": "application/json", "data": data}

    def publish(self, *events):
        files = []
        for event in events:
            files.append(f"{DIR}/events/{event['id']}.json")
            with open(files[-1], "w") as file:
                json.dump(event, file, indent=2)
        peerwright("event", "publish", *files)
        self.sent += len(events)


class Scenario:
    def __init__(self):
        self.database = Database()
        self.statuses = StatusTopic()
        self.table = Table(self.database, self.statuses)
        self.workers = [Worker("w1"), Worker("w2")]
        self.hosts = [Host(1, "edge-1", "vpn-a", ["10.200.0.1/16", "fd00:200::1/64"]),
                      Host(2, "edge-2", "vpn-b", ["10.201.0.1/16", "fd00:201::1/64"])]
        self.billing = Sender("billing")
        self.orchestrator = Sender("orchestrator")
        self.phone = Client("phone", "10.200.0.1")
        self.absorbed = 0  # duplicates, as the workers counted them
        self.repeated = 0  # as we sent them
        self.broken = 0  # messages that nobody can execute
        self.off_ms = None

    # --- small words ------------------------------------------------------------------------------------------------

    def tell(self, sender, name, data):
        event = sender.event(name, data)
        sender.publish(event)
        return event, self.table.follow([event])[0]

    def provision(self, peer, server, subscriber, public_key):
        return self.billing.event("peer.provision", {
            "tenant": "acme", "peer": peer, "subscriber": subscriber, "server": server, "public_key": public_key,
            "client_routes": ROUTES[server], "keepalive_seconds": 25})

    def messages(self):
        return self.billing.sent + self.orchestrator.sent + self.broken

    def wait_all_read(self):
        """Every message that was sent is executed: the positions in the database say so."""
        positions = "SELECT coalesce(sum(next_offset), 0) AS n FROM intake WHERE topic = 'peerwright.events'"
        wait(lambda: self.database.one(positions) == self.messages(), TAKEOVER_SECONDS, "all messages executed")

    def count_absorbed(self, repeat):
        """How many duplicates the workers count while `repeat` sends some."""
        before = sum(worker.duplicates() for worker in self.workers)
        sent = self.messages()
        repeat()
        self.repeated += self.messages() - sent
        self.wait_all_read()
        try:
            wait(lambda: sum(w.duplicates() for w in self.workers) - before >= self.messages() - sent, 5, "")
        except Failure:
            pass  # the proof tells
        absorbed = sum(worker.duplicates() for worker in self.workers) - before
        self.absorbed += absorbed
        return absorbed

    # --- the steps --------------------------------------------------------------------------------------------------

    def start(self):
        for worker in self.workers:
            worker.start()
        for worker in self.workers:
            worker.wait_ready()
        say("Two workers run. COMMIT: from the message in its topic to its transaction on disk.")
        say("PROOF: from there until the host was read back and showed it, in the kernel and in its saved file.")
        say()
        self.table.head()
        for host in self.hosts:
            own = [interface.ip for interface in host.ranges]
            self.tell(self.orchestrator, "network.set", {
                "network": host.network, "ipv4": str(host.ranges[0].network), "ipv6": str(host.ranges[1].network),
                "reserved": [str(address) for address in own], "quarantine_seconds": 3600})
            self.tell(self.orchestrator, "server.register", {
                "server": host.server, "network": host.network, "endpoint": host.endpoint,
                "ssh": {"host": host.ssh_address, "host_key": host.host_key}, "mtu": 1280, "keepalive_seconds": 25})

    def subscribe(self):
        say("\nA subscriber gets three devices. His phone's tunnel is set up from `peerwright peer config`.", "head")
        private, public = key_pair()
        with open(f"{DIR}/clients/phone.key", "w") as file:
            file.write(private + "\n")
        events = [self.provision("phone", "edge-1", "S-100", public),
                  self.provision("laptop", "edge-1", "S-100", key_pair()[1]),
                  self.provision("tablet", "edge-2", "S-100", key_pair()[1])]
        for event in events:
            self.billing.publish(event)
        self.table.follow(events)
        config = f"{DIR}/clients/phone.conf"
        peerwright("peer", "config", "acme/phone", "--private-key-file", f"{DIR}/clients/phone.key", "--out", config)
        begun = time.time()
        self.phone.up(config)
        self.phone.begin_pings()
        first = self.phone.wait_reply(20, "the first ping of acme/phone through the tunnel")
        say(f"  ping {self.phone.target} through the tunnel answers {milliseconds(first - begun)} after it was set up")

    def suspend(self):
        say("\nHe does not pay: his ping stops. He pays: it works again.", "head")
        _, suspended = self.tell(self.billing, "subscriber.suspend", {
            "tenant": "acme", "subscriber": "S-100", "reason": "invoice 2026-0117 unpaid"})
        off = self.phone.wait_silence(1.0, 20, "ping silent after the suspension")
        self.off_ms = max(0.0, off - suspended.sent) * 1000
        say(f"  no ping was answered later than {self.off_ms:.0f} ms after the suspension was in the topic")
        _, resumed = self.tell(self.billing, "subscriber.resume", {
            "tenant": "acme", "subscriber": "S-100", "reason": "invoice 2026-0117 paid"})
        back = self.phone.wait_reply(60, "ping again after the resume")
        say(f"  ping answers again {milliseconds(back - resumed.proven)} after the proof: a client that hears nothing "
            "for 15 s shakes hands anew")

    def repeat(self):
        say("\nThe same event three times has one effect.", "head")
        event = self.provision("router", "edge-2", "S-200", key_pair()[1])
        self.billing.publish(event)
        self.table.follow([event])
        absorbed = self.count_absorbed(lambda: (self.billing.publish(event), self.billing.publish(event)))
        for _ in range(absorbed):
            self.table.show_duplicate(event)
        where = f"source = 'billing' AND {{}} = '{event['id']}'"
        inbox = self.database.one("SELECT count(*) AS n FROM inbox WHERE " + where.format("id"))
        audit = self.database.one("SELECT count(*) AS n FROM audit WHERE " + where.format("event_id"))
        say(f"  sent 3 times; {inbox} row in the inbox, {audit} decision in the audit, {absorbed} duplicates counted")
        if (inbox, audit, absorbed) != (1, 1, 2):
            raise Failure("an event that was sent three times did not have exactly one effect")

    def fleet_round(self, number):
        events = []
        for server in ROUTES:
            for i in range(FLEET_PEERS):
                name = f"fleet-{number}-{server}-{i}"
                events.append(self.provision(name, server, f"F-{number}-{i % 8}", key_pair()[1]))
        self.billing.publish(*events)
        return events

    def crash(self):
        say("\nWorker w2 is killed in the middle of a push: the host has obeyed, and nobody was told.", "head")
        survivor, victim = self.workers
        victim.stop()
        # It looks for work more often than w1, so that a push soon falls to it.
        victim.start(PEERWRIGHT_CRASH_AT="deliver.exec.after:1", PEERWRIGHT_DELIVER_POLL_MS="5")
        victim.wait_ready()
        rounds = []
        while not victim.died():
            if len(rounds) == FLEET_ROUNDS:
                raise Failure("w2 did not come to a push")
            rounds.append(self.fleet_round(len(rounds) + 1))
            self.wait_died_or_settled(victim, rounds[-1])
        if victim.process.returncode != -signal.SIGKILL:
            raise Failure(f"w2 ended with {victim.process.returncode} instead of by SIGKILL")
        self.tell_doubt(victim)
        say(f"  {survivor.name} takes over, and asks the hosts before it does anything there")
        for number, events in enumerate(rounds, 1):
            self.table.follow(events, f"acme/fleet-{number}-*")
        say("  all are proven without w2; now it comes back, and billing, not being sure, sends all of them again")
        victim.start()
        victim.wait_ready()
        events = [event for events in rounds for event in events]
        absorbed = self.count_absorbed(lambda: self.billing.publish(*events))
        say(f"  {len(events)} messages came again, {absorbed} duplicates were absorbed")

    def tell_doubt(self, victim):
        """What the dead worker had begun, while it still stands so."""
        say(f"  {victim.name} is dead (signal 9)")
        for row in self.database.query(LEFT_BEHIND.format(victim.name)):
            host = next(host for host in self.hosts if host.server == row["server"])
            say(f"  it left {host.server} in doubt: {len(host.kernel())} peers in its kernel, {row['proven']} proven")

    def wait_died_or_settled(self, victim, events):
        """Until w2 is dead, or all of the round is proven, so that there is something to push anew."""
        names = {f"acme/{event['data']['peer']}" for event in events}

        def settled():
            applied = {f"{m['body']['tenant']}/{m['body']['peer']}" for m in self.statuses.peers()
                       if m["body"]["delivery"] == "applied"}
            return victim.died() or names <= applied

        wait(settled, TAKEOVER_SECONDS, "the fleet's push")

    def come_late(self):
        say("\nAn older message comes late: it is refused, and nothing changes.", "head")
        phone = {"tenant": "acme", "peer": "phone", "reason": "chargeback"}
        early = self.billing.event("peer.suspend", phone)  # it takes its number first, and is held up on its way
        self.tell(self.billing, "peer.resume", {"tenant": "acme", "peer": "phone", "reason": "chargeback withdrawn"})
        self.billing.publish(early)
        fate = self.table.follow([early])[0]
        if (fate.outcome, fate.code) != ("rejected", "stale"):
            raise Failure(f"the late message was not refused as stale but {fate.decision()}")
        self.phone.wait_reply(5, "ping after the late message")
        say("  acme/phone still pings")

    def send_wrong(self):
        say("\nA message that is wrong becomes a dead letter; its partition goes on.", "head")
        wrong = self.provision("camera", "edge-1", "S-300", "not-a-key")
        run(*kcat("-P", "-t", "peerwright.events", "-k", "acme/S-300", "-X", "partitioner=murmur2_random"),
            stdin=json.dumps(wrong))
        self.broken += 1
        fate = self.table.follow([wrong])[0]
        if fate.outcome != "dead letter":
            raise Failure(f"a message with a wrong key was {fate.decision()}")
        right = self.provision("camera", "edge-1", "S-300", key_pair()[1])
        self.billing.publish(right)
        self.table.follow([right])

    # --- afterwards -------------------------------------------------------------------------------------------------

    def tell_what_to_try(self):
        say("\nIt stays up until Ctrl-C. In another terminal:", "head")
        for command, words in (
                ("tools/demo sh", "a shell with everything set, for what follows"),
                ("peerwright peer list", "also: peer show acme/phone, server show edge-1, dlq list, audit verify"),
                ("peerwright event publish --type peer.suspend --tenant acme --peer phone --wait", ""),
                ("lab client ping phone 10.200.0.1 1 && echo on || echo off", ""),
                ("peerwright peer config acme/phone --qr --private-key-file $PEERWRIGHT_DEMO_DIR/clients/phone.key",
                 ""),
                ("lab kill 1; lab start 1", "a host loses power, and comes back from its file"),
                ("kill -9 $(cut -d' ' -f1 $PEERWRIGHT_DEMO_DIR/pids/w1)", "a worker dies; it is restarted after 3 s"),
                ("pg freeze; pg thaw", "the database stands still")):
            say(f"  {command}" + (f"   ({words})" if words else ""))
        for worker in self.workers:
            say(f"Worker {worker.name}: {worker.url}/readyz {worker.url}/metrics")
        say()
        self.table.head()

    def stay(self):
        """Shows what comes, and does for the workers what Kubernetes would."""
        self.tell_what_to_try()
        while True:
            try:
                self.table.show_new()
            except Failure as failure:  # somebody tries what happens when the database is away
                say(str(failure), "refused")
                time.sleep(RESTART_SECONDS)
            for worker in self.workers:
                if worker.died():
                    say(f"worker {worker.name} died and is started again in {RESTART_SECONDS} s", "refused")
                    time.sleep(RESTART_SECONDS)
                    worker.start()
            time.sleep(IDLE_SECONDS)

    def play(self):
        self.start()
        self.subscribe()
        self.suspend()
        self.repeat()
        self.crash()
        self.come_late()
        self.send_wrong()
        self.wait_all_read()
        proof = Proof(self)
        say("\nProof", "head")
        ok = proof.check_all()
        say(proof.line(), "good" if ok else "bad")
        return ok


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))  # its children die with it
    try:
        scenario = Scenario()
        ok = scenario.play()
    except (Failure, subprocess.TimeoutExpired, OSError) as failure:
        say(f"proof: FAILED: {' '.join(str(failure).split())}", "bad")
        return 1
    if not ok:
        return 1
    open(f"{DIR}/proven", "w").close()
    if "--once" not in sys.argv:
        scenario.stay()
    return 0


sys.exit(main())
