"""The real parts of the demonstration, as its scenario sees them: workers, database, status topic, hosts, a client."""
import ipaddress
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.request

DIR = os.environ["PEERWRIGHT_DEMO_DIR"]
TOOLS = os.environ["PEERWRIGHT_TOOLS"]
BINARY = f"{DIR}/bin/peerwright"
POLL_SECONDS = 0.02
COMMAND_SECONDS = 60
PING_SECONDS = 0.02


class Failure(Exception):
    """Something did not come as promised; the text says what."""


def wait(condition, seconds, what):
    """Polls until condition() is true, and answers what it said."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(POLL_SECONDS)


def run(*command, stdin="", accepted=(0,)):
    """Runs a command and answers its stdout; another exit status is a Failure, which carries its stderr."""
    done = subprocess.run(command, input=stdin, text=True, capture_output=True, timeout=COMMAND_SECONDS)
    if done.returncode not in accepted:
        raise Failure(f"{' '.join(command[:4])} ...: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def peerwright(*arguments, **options):
    return run(BINARY, *arguments, **options)


def spawn(name, command, **options):
    """A process that dies with this one, and that `tools/demo clean` knows by pids/NAME. Only for the main
    thread, whose end is what counts."""
    options.setdefault("stdin", subprocess.DEVNULL)
    process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], start_new_session=True, **options)
    with open(f"/proc/{process.pid}/stat") as file:
        started = file.read().rsplit(")", 1)[1].split()[19]
    with open(f"{DIR}/pids/{name}", "w") as file:
        file.write(f"{process.pid} {started}\n")
    return process


class Worker:
    """One `peerwright run` with a configuration and a log of its own."""

    READY_SECONDS = 60
    STOP_SECONDS = 20

    def __init__(self, name):
        self.name = name
        self.port = int(os.environ[f"DEMO_PORT_{name}"])
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self, **environment):
        with open(f"{DIR}/logs/{self.name}.log", "a") as log:
            self.process = spawn(self.name, [BINARY, "run", "--config", f"{DIR}/{self.name}.yaml"],
                                 env={**os.environ, **environment}, stdout=log, stderr=log)

    def get(self, path):
        """The body of a page, or None where the worker does not answer with 200."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=2) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise Failure(f"worker {self.name} ended with status {self.process.returncode}")
            return self.get("/readyz")

        wait(ready, self.READY_SECONDS, f"worker {self.name} ready")

    def died(self):
        return self.process.poll() is not None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(self.STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure(f"worker {self.name} does not end {self.STOP_SECONDS} s after SIGTERM") from None
        if self.process.returncode != 0:
            raise Failure(f"worker {self.name} ended with status {self.process.returncode}")

    def duplicates(self):
        """Its counter of events that it had seen before."""
        counter = r'^peerwright_events_total\{[^}]*result="duplicate"[^}]*\} (\S+)$'
        return int(sum(float(value) for value in re.findall(counter, self.get("/metrics") or "", re.MULTILINE)))


def quoted(text):
    return "'" + str(text).replace("'", "''") + "'"


class Database:
    """One psql that answers queries, each as a list of dictionaries."""

    MARK = "=== answered ==="

    def __init__(self):
        self.process = None
        self.lock = threading.Lock()

    def query(self, sql):
        with self.lock:
            if self.process is None or self.process.poll() is not None:
                command = ["psql", "-X", "-q", "-A", "-t"]
                self.process = spawn("psql", command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True)
            lines = self.ask(f"SELECT coalesce(jsonb_agg(q), '[]') FROM ({sql}) q;\n\\echo {self.MARK}\n")
        try:
            return json.loads("".join(lines))
        except ValueError:
            raise Failure(f"the database refused: {' '.join(lines)[:500]}") from None

    def ask(self, text):
        lines = []
        try:
            self.process.stdin.write(text)
            self.process.stdin.flush()
        except BrokenPipeError:
            return ["psql ended"]
        for line in self.process.stdout:
            if line.strip() == self.MARK:
                break
            lines.append(line)
        return lines

    def one(self, sql):
        return next(iter(self.query(sql)[0].values()))


def kcat(*arguments):
    """The command line of Debian's kcat, which had another name once."""
    return [shutil.which("kcat") or "kafkacat", "-b", os.environ["KAFKA_BROKERS"], *arguments]


class StatusTopic:
    """Everything that peerwright says on its status topic, in the order of each partition."""

    def __init__(self):
        command = kcat("-C", "-q", "-u", "-J", "-t", "peerwright.status", "-o", "beginning")
        self.messages = []
        self.process = spawn("kcat", command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            raw = json.loads(line)
            words = raw.get("headers") or []
            message = dict(zip(words[::2], words[1::2]))
            message["body"] = json.loads(raw["payload"])
            self.messages.append(message)

    def peers(self):
        """The statuses of peers, each once however often it was sent."""
        seen = {}
        for message in self.messages:
            if message["ce_type"] == "peerwright.peer.status.v1":
                seen.setdefault(message["ce_id"], message)
        return list(seen.values())

    def caused_by(self, cause):
        """peer -> the status that says that what this event caused is proven on the host."""
        return {f"{m['body']['tenant']}/{m['body']['peer']}": m for m in self.peers()
                if m["body"]["cause"] == cause and m["body"]["delivery"] == "applied"}


class Host:
    """One WireGuard host of tools/lab."""

    FILE = "/etc/wireguard/wg0.conf"

    def __init__(self, number, server, network, addresses):
        self.number = number
        self.server = server
        self.network = network
        self.ranges = [ipaddress.ip_interface(text) for text in addresses]  # its own address in each range
        self.ssh_address = os.environ[f"LAB_HOST_{number}"]
        self.host_key = os.environ[f"LAB_HOSTKEY_{number}"]
        self.endpoint = os.environ[f"LAB_ENDPOINT_{number}"]

    def sh(self, *command):
        return run(f"{TOOLS}/lab", "sh", str(self.number), *command)

    def kernel(self):
        """key -> set of prefixes, as the interface has them."""
        peers = {}
        for line in self.sh("wg", "show", "wg0", "allowed-ips").splitlines():
            key, *prefixes = line.split()
            peers[key] = {prefix for prefix in prefixes if prefix != "(none)"}
        return peers

    def file(self):
        """The same out of the file that the host boots from."""
        peers, key = {}, None
        for line in self.sh("cat", self.FILE).splitlines():
            name, _, value = (part.strip() for part in line.partition("="))
            if line.strip().lower() == "[peer]":
                key = None
            elif name.lower() == "publickey":
                key = value
                peers[key] = set()
            elif name.lower() == "allowedips" and key:
                peers[key] |= {word.strip() for word in value.split(",")}
        return peers


class Client:
    """A machine of its own whose tunnel is set up from what `peerwright peer config` wrote."""

    def __init__(self, name, target):
        self.name = name
        self.target = target
        self.replies = []  # Unix times
        self.process = None

    def up(self, config):
        run(f"{TOOLS}/lab", "client", "up", self.name, config)

    def begin_pings(self):
        command = [f"{TOOLS}/lab", "client", "sh", self.name, "ping", "-n", "-D", "-i", str(PING_SECONDS), self.target]
        self.process = spawn("ping", command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            found = re.match(r"\[([0-9.]+)\] \d+ bytes from", line)
            if found:
                self.replies.append(float(found[1]))

    def wait_reply(self, seconds, what):
        """The time of the first reply after now."""
        now = time.time()
        return wait(lambda: next((t for t in self.replies if t > now), None), seconds, what)

    def wait_silence(self, quiet_seconds, seconds, what):
        """Waits until no reply came for so long; the time since when none comes any more."""
        wait(lambda: time.time() - self.replies[-1] > quiet_seconds, seconds, what)
        return self.replies[-1] + PING_SECONDS


def key_pair():
    private = run("wg", "genkey").strip()
    return private, run("wg", "pubkey", stdin=private).strip()
