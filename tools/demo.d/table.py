"""The table that fills as things happen: one row an event, or a group of events, when its fate is known."""
import os
import statistics
import sys
import time
from datetime import datetime

from parts import POLL_SECONDS, Failure, quoted

WIDTHS = (20, 20, 30, 9, 16, 9)
HEADERS = ("EVENT", "SUBJECT", "DECISION", "COMMIT", "PROVEN ON", "PROOF")
PATIENCE_SECONDS = 60
COLOURS = {"good": "32", "refused": "33", "bad": "31", "head": "1", "dim": "2"}
IN_COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

# When an event was in its topic, when the transaction that executed it was committed, and what it decided. Dead letters
# are in the same answer. inbox and dead_letters are never updated, so xmin is the transaction that made the row.
FATES = """
SELECT a.source, a.event_id AS id, a.event_type AS type, a.outcome, a.code, a.body::jsonb -> 'subject' AS subject,
  extract(epoch FROM (a.body::jsonb -> 'place' ->> 'broker_time')::timestamptz)::float8 AS sent,
  extract(epoch FROM pg_xact_commit_timestamp(i.xmin))::float8 AS committed
FROM audit a JOIN inbox i ON i.source = a.source AND i.id = a.event_id
UNION ALL
SELECT source, event_id, event_type, 'dead letter', code, '{}', extract(epoch FROM broker_time)::float8,
  extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8
FROM dead_letters
"""
CONCERNED = """
SELECT t.name || '/' || p.name AS peer FROM peers p JOIN tenants t ON t.id = p.tenant_id
LEFT JOIN subscribers s ON s.id = p.subscriber_id
WHERE p.stage = 'provisioned' AND t.name = {tenant} AND {narrower}
"""
SERVER_PROOF = """
SELECT extract(epoch FROM d.proven_at)::float8 AS proven FROM deliveries d JOIN servers s ON s.id = d.server_id
WHERE s.name = {server} AND NOT d.due AND NOT d.in_doubt AND d.proven_at >= to_timestamp({committed})
"""


def coloured(text, colour):
    return f"\033[{COLOURS[colour]}m{text}\033[0m" if IN_COLOUR else text


def say(text="", colour=None):
    print(coloured(text, colour) if colour else text, flush=True)


def short(event_type):
    return event_type.removeprefix("peerwright.").removesuffix(".v1")


def named(subject):
    parts = (subject.get("tenant"), subject.get("peer") or subject.get("subscriber"))
    return "/".join(part for part in parts if part) or subject.get("server") or subject.get("network") or "-"


def milliseconds(seconds):
    return f"{max(0, seconds) * 1000:.0f} ms"


def time_of(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Fate:
    """What became of one event."""

    def __init__(self, row):
        self.source, self.id, self.type = row["source"], row["id"], short(row["type"])
        self.outcome, self.code, self.subject = row["outcome"], row["code"], row["subject"]
        self.sent, self.committed = row["sent"], row["committed"]
        self.proven = None  # Unix time of the last proof
        self.servers = []

    def decision(self):
        return f"{self.outcome}: {self.code}" if self.code else self.outcome


class Table:
    def __init__(self, database, statuses):
        self.database = database
        self.statuses = statuses
        self.shown = {}  # (source, id) -> Fate

    def head(self):
        say(line(HEADERS), "head")

    def fates(self, which="true"):
        return [Fate(row) for row in self.database.query(f"SELECT * FROM ({FATES}) f WHERE {which} ORDER BY committed")]

    def look_for_proof(self, fate):
        """True when nothing is to be proven any more; fills in where and when it was."""
        if fate.outcome != "accepted" or fate.type.startswith("network."):
            return True
        if fate.type == "server.register":
            server = fate.subject["server"]
            rows = self.database.query(SERVER_PROOF.format(server=quoted(server), committed=fate.committed))
            if rows:
                fate.servers, fate.proven = [server], rows[0]["proven"]
            return bool(rows)
        proofs = self.statuses.caused_by(f"{fate.source}/{fate.id}")
        if not proofs or not self.concerned(fate) <= proofs.keys():
            return fate.type != "peer.revoke" and not self.concerned(fate)
        fate.servers = sorted({proof["body"]["server"] for proof in proofs.values()})
        fate.proven = max(time_of(proof["ce_time"]) for proof in proofs.values())
        return True

    def concerned(self, fate):
        """The peers that the event speaks of and that have a server."""
        subject = fate.subject
        column, name = ("p.name", subject["peer"]) if "peer" in subject else ("s.name", subject["subscriber"])
        sql = CONCERNED.format(tenant=quoted(subject["tenant"]), narrower=f"{column} = {quoted(name)}")
        return {row["peer"] for row in self.database.query(sql)}

    def follow(self, events, label=None):
        """Waits until the fate of all these events is known and shows it: a row for each, or one labelled row."""
        wanted = {(event["source"], event["id"]) for event in events}
        ids = ", ".join(quoted(event["id"]) for event in events)
        deadline = time.monotonic() + PATIENCE_SECONDS
        found, settled = {}, set()
        while len(settled) < len(wanted):
            for fate in self.fates(f"id IN ({ids})"):
                key = (fate.source, fate.id)
                if key in wanted and key not in settled:
                    found[key] = fate
                    if self.look_for_proof(fate):
                        settled.add(key)
                        if not label:
                            self.show(fate)
            if time.monotonic() > deadline:
                late = sorted(f"{key[1]} {'' if key in found else '(not decided)'}" for key in wanted - settled)
                raise Failure(f"not proven within {PATIENCE_SECONDS} s: {', '.join(late)[:600]}")
            time.sleep(POLL_SECONDS)
        self.shown.update(found)
        if label:
            show_group(label, list(found.values()))
        return list(found.values())

    def show(self, fate):
        self.shown[fate.source, fate.id] = fate
        colour = {"accepted": "good", "rejected": "refused", "dead letter": "refused"}.get(fate.outcome)
        proof = milliseconds(fate.proven - fate.committed) if fate.proven else "-"
        say(line((fate.type, named(fate.subject), fate.decision(), milliseconds(fate.committed - fate.sent),
                  ", ".join(fate.servers) or "-", proof)), colour)

    def show_duplicate(self, event):
        say(line((short(event["type"]), named(event["data"]), "duplicate, absorbed", "-", "-", "-")), "dim")

    def show_new(self):
        """Shows what others have sent meanwhile, each once it is proven or has waited for long."""
        for fate in self.fates():
            if (fate.source, fate.id) not in self.shown:
                if self.look_for_proof(fate) or time.time() - fate.committed > PATIENCE_SECONDS:
                    self.show(fate)

    def commits(self):
        return [(fate.committed - fate.sent) * 1000 for fate in self.shown.values()]

    def proofs(self):
        return [(fate.proven - fate.committed) * 1000 for fate in self.shown.values() if fate.proven]


def line(cells):
    fitted = (cell if len(cell) <= width else cell[:width - 1] + "…" for cell, width in zip(cells, WIDTHS))
    return " ".join(cell.ljust(width) for cell, width in zip(fitted, WIDTHS)).rstrip()


def show_group(label, fates):
    commits = [fate.committed - fate.sent for fate in fates]
    proofs = [fate.proven - fate.committed for fate in fates if fate.proven]
    decisions = sorted({fate.decision() for fate in fates})
    servers = sorted({server for fate in fates for server in fate.servers})
    say(line((f"{len(fates)} x {fates[0].type}", label, ", ".join(decisions), milliseconds(statistics.median(commits)),
              ", ".join(servers) or "-", milliseconds(max(proofs)) if proofs else "-")), "good")
