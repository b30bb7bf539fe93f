"""What has to hold at the end: the database, the hosts and the topics are compared with each other."""
import json
import statistics
from collections import defaultdict

from parts import Failure, peerwright, wait
from table import say

SETTLE_SECONDS = 30
DIFFERENCES = 6  # exit status of `audit verify`
# What should stand on a server: key, and its one address in each of the network's ranges.
WANTED = """
SELECT w.public_key AS key, host(n.net4::inet + w.address_offset) || '/32' AS ipv4,
  host(n.net6::inet + w.address_offset) || '/128' AS ipv6
FROM wanted_peers w JOIN servers s ON s.id = w.server_id JOIN networks n ON n.id = w.network_id
WHERE s.name = '{}'
"""
HELD_TWICE = """
SELECT network_id, address_offset FROM peers WHERE address_offset IS NOT NULL
GROUP BY network_id, address_offset HAVING count(*) > 1
"""
UNSETTLED = """
SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM deliveries WHERE due) + (SELECT count(*) FROM fan_outs)
  + (SELECT count(*) FROM audit) - (SELECT published_no FROM audit_head) AS n
"""
VERSIONS = "SELECT t.name || '/' || p.name AS peer, p.version FROM peers p JOIN tenants t ON t.id = p.tenant_id"


class Proof:
    def __init__(self, scenario):
        self.s = scenario
        self.database = scenario.database
        self.failures = []
        self.on_hosts = 0
        self.shown = []  # the prefixes of all peers in all kernels
        self.chain_rows = 0
        self.effects = self.dead_letters = 0

    def check_all(self):
        try:
            wait(lambda: self.database.one(UNSETTLED) == 0, SETTLE_SECONDS, "everything said and delivered")
            for check in (self.hosts, self.addresses, self.effects_of_messages, self.status_versions, self.audit):
                check()
        except Failure as failure:
            self.failures.append(str(failure))
        return not self.failures

    def check(self, holds, words):
        say(f"  {'ok    ' if holds else 'FAILED'}  {words}", "good" if holds else "bad")
        if not holds:
            self.failures.append(words)

    def hosts(self):
        for host in self.s.hosts:
            wanted = {row["key"]: {row["ipv4"], row["ipv6"]} for row in self.database.query(WANTED.format(host.server))}
            kernel, file = host.kernel(), host.file()
            self.on_hosts += len(kernel)
            self.shown += [prefix for prefixes in kernel.values() for prefix in prefixes]
            equal = wanted == kernel == file
            self.check(bool(wanted) and equal,
                       f"{host.server}: {len(wanted)} peers wanted, {len(kernel)} in its kernel, {len(file)} in its "
                       f"file, {'all equal' if equal else self.difference(wanted, kernel, file)}")

    @staticmethod
    def difference(wanted, kernel, file):
        counts = (f"{name}: {len(wanted.keys() - peers.keys())} missing, {len(peers.keys() - wanted.keys())} too many, "
                  f"{sum(peers[key] != wanted[key] for key in peers.keys() & wanted.keys())} differ"
                  for name, peers in (("kernel", kernel), ("file", file)))
        return "; ".join(counts)

    def addresses(self):
        twice = len(self.database.query(HELD_TWICE)) + len(self.shown) - len(set(self.shown))
        self.check(twice == 0, f"{len(self.shown)} addresses on the hosts, {twice} held twice")

    def effects_of_messages(self):
        self.effects = self.database.one("SELECT count(*) AS n FROM audit WHERE source <> 'peerwright'")
        distinct = self.database.one(
            "SELECT count(*) AS n FROM (SELECT DISTINCT source, event_id FROM audit WHERE source <> 'peerwright') a")
        self.dead_letters = self.database.one("SELECT count(*) AS n FROM dead_letters")
        sent = self.s.messages()
        self.check(self.effects == distinct, f"{self.effects} decisions about {distinct} events: no event had two")
        self.check(self.s.absorbed == self.s.repeated, f"{self.s.repeated} duplicates sent, {self.s.absorbed} absorbed")
        executed = self.effects + self.s.repeated + self.dead_letters
        self.check(sent == executed and self.dead_letters == self.s.broken,
                   f"{sent} messages sent; {self.effects} decisions, {self.s.repeated} duplicates and "
                   f"{self.dead_letters} dead letter make {executed}: none was lost")

    def status_versions(self):
        """Each peer's statuses carry 1, 2, 3 ... up to its version, in this order."""
        wanted = {row["peer"]: list(range(1, row["version"] + 1)) for row in self.database.query(VERSIONS)}

        def said():
            versions = defaultdict(list)
            for message in self.s.statuses.peers():
                body = message["body"]
                versions[f"{body['tenant']}/{body['peer']}"].append(body["version"])
            return versions

        try:
            wait(lambda: said() == wanted, SETTLE_SECONDS / 3, "")
        except Failure:
            pass
        versions = said()
        wrong = sorted(peer for peer in wanted.keys() | versions.keys() if versions.get(peer) != wanted.get(peer))
        told = f"; wrong: {', '.join(f'{p} {versions.get(p)}' for p in wrong[:3])}" if wrong else ""
        self.check(not wrong, f"{sum(map(len, wanted.values()))} statuses of {len(wanted)} peers on the status topic, "
                              f"complete and in order{told}")

    def audit(self):
        entries = self.database.one("SELECT count(*) AS n FROM audit")  # the workers' own among them
        report = json.loads(peerwright("audit", "verify", "-o", "json", accepted=(0, DIFFERENCES)))
        self.chain_rows = report["rows"]
        self.check(report["intact"] and report["rows"] == entries,
                   f"the audit's chain is {'intact' if report['intact'] else 'broken'} over {report['rows']} of "
                   f"{entries} rows")

    def line(self):
        if self.failures:
            return "proof: FAILED: " + " ".join("; ".join(self.failures).split())
        commits, proofs = self.s.table.commits(), self.s.table.proofs()
        return (f"proof: {self.s.messages()} events = {self.effects} effects + {self.s.absorbed} duplicates absorbed + "
                f"{self.dead_letters} dead letter; {self.on_hosts} peers equal on {len(self.s.hosts)} hosts; "
                f"commit {statistics.median(commits):.0f} ms (max {max(commits):.0f}); "
                f"proof {statistics.median(proofs):.0f} ms (max {max(proofs):.0f}); "
                f"suspend to off {self.s.off_ms:.0f} ms; audit chain {self.chain_rows} rows")
