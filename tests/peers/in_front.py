"""Real writers in front of our reader: what it believes of each client."""

import collections
import contextlib
import hashlib
import http.client
import json
import pathlib
import shutil
import ssl
import subprocess
import tempfile

import forged
from client import Client, Refused
from page import BAD
from process import NotStarted, Process
from tap import Tap

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]

CASES = {
    None: "no certificate",
    "alice": "leaf alone",
    "alice of an intermediate": "leaf and intermediate",
    "self-made": "self-made",
    "odd": "names full of `\",;=\\` and UTF-8",
    "URI": "`;Cert=` of bob in the URI",
    "DNS": "`;Cert=` of bob in the DNS name",
    "subject": "`;Cert=` of bob in the subject",
    "comma": "`,Hash=` of nobody and bob's `;Cert=` in the URI",
    "By": "`,By=…;Hash=` of bob and his `;Cert=` in the URI",
    "long": "8 KB of chain",
    "longer": "20 KB of chain",
}
RESUMED = ["alice", "alice of an intermediate", "self-made"]
HANDSHAKE = "refused in the handshake"
NO_PATH = "FAILED:unable to get local issuer certificate"
NOT_RESUMED = " (was not resumed)"
BY_PROXY = "refused by the proxy, status "


def build_backend(cache):
    """Our reader, with the versions of the crate's own lock file."""
    package = HERE / "backend"
    shutil.copy(ROOT / "Cargo.lock", package / "Cargo.lock")
    target = cache / "backend"
    subprocess.run(["cargo", "build", "-q", "--manifest-path", package / "Cargo.toml", "--target-dir", target],
                   check=True)
    return target / "debug/peers-backend"


@contextlib.contextmanager
def reader(program, dialect, folder, pki):
    process = Process([program, "--dialect", dialect, "--client-ca", pki.ca_file], folder / "backend.log")
    try:
        yield int(process.says("listening on ").rsplit(":", 1)[1])
    finally:
        process.stop()


class Believed:
    """Our reader's answer."""

    def __init__(self, pki, status, body):
        self.who, self.verdict, self.again, self.more = None, None, "", ""
        try:
            answer = json.loads(body)
        except ValueError:
            self.text = f"{BY_PROXY}{status}"
            return
        if "anonymous" in answer:
            self.who = self.text = "nobody"
        elif "refused" in answer:
            self.text = f"{status}: {answer['refused']}"
        else:
            certificates, self.verdict, self.again = answer["chain"], answer["status"], answer["again"]
            fingerprint = certificates[0] if certificates else answer["hash"]
            self.who = pki.who(fingerprint) if fingerprint else "somebody by " + ", ".join(answer["uris"])
            if not certificates:
                self.more = " by name and hash"
            elif len(certificates) > 1:
                self.more = f" + {len(certificates) - 1}"
            again = {"": "", "SUCCESS": "; our roots: verified", NO_PATH: "; our roots: no path"}.get(
                self.again, f"; our roots: {self.again}")
            self.text = f"{self.who}{self.more}, {self.verdict or 'no verdict'}{again}"


class Pair:
    def __init__(self, writer, pki, port, tap, order):
        self.writer, self.pki, self.port, self.tap, self.order = writer, pki, port, tap, order
        self.rows, self.wrong = [], 0
        # What arrived, by client, whether the session was resumed, and version of TLS.
        self.sent = {}

    def ask(self, client, headers=(), resume=False):
        try:
            if client.socket is None or resume:
                client.connect(resume)
            resumed = client.socket.session_reused
            believed = Believed(self.pki, *client.get(headers))
            if resume and not resumed:
                believed.text += NOT_RESUMED
            return believed
        except Refused:
            client.close()
            refused = Believed(self.pki, 0, "")
            refused.text = HANDSHAKE
            return refused

    def mark(self, name, believed):
        """How the reader's answer is to be taken, beside who the client is."""
        right = "nobody" if name is None else name
        if believed.who is None:
            by_us = believed.text != HANDSHAKE and not believed.text.startswith(BY_PROXY)
            return "refused" if by_us or name != "self-made" else ""
        if name == "self-made" and believed.verdict == "SUCCESS":
            return "UNVERIFIED BELIEVED"
        if name == "self-made" and believed.who == "nobody":
            return ""
        if believed.who != right:
            return "nobody" if believed.who == "nobody" else "WRONG"
        return "ok"

    def row(self, case, version, believed, mark):
        self.wrong += mark in BAD and mark not in self.writer.faults
        self.rows.append((case, version, believed, mark))
        print(" | ".join((self.writer.title, case, version, believed, mark)), flush=True)

    def plain(self):
        for version in self.writer.versions:
            for name, case in CASES.items():
                client = Client(self.pki, self.port, name, version)
                self.tap.take()
                believed = self.ask(client)
                self.sent[name, False, version] = self.tap.take()
                self.row(case, version, believed.text, self.mark(name, believed))
                if name in RESUMED and believed.text != HANDSHAKE:
                    self.tap.take()
                    believed = self.ask(client, resume=True)
                    if NOT_RESUMED not in believed.text:
                        self.sent[name, True, version] = self.tap.take()
                    self.row(case + ", resumed", version, believed.text, self.mark(name, believed))
                client.close()

    def forged(self, name, attempts):
        client = Client(self.pki, self.port, name, self.writer.versions[-1])
        plain = self.ask(client)
        if plain.text == HANDSHAKE:
            return
        answers = collections.defaultdict(list)
        for what, headers in attempts:
            believed = self.ask(client, headers)
            mark = self.beside(name, believed, plain, "refused")
            # Why our reader refuses is not the same for every shape.
            text = believed.text if mark != "refused" else believed.text.split(":")[0]
            answers[text, mark].append(what.split(" (")[0])
        client.close()
        for (text, mark), whats in sorted(answers.items()):
            names = sorted(set(whats))
            some = "" if text == plain.text else ": " + ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
            self.row(f"{len(whats)} forged headers of {name or 'nobody'}{some}", self.writer.versions[-1], text, mark)

    def beside(self, name, believed, plain, other):
        """The mark of a request with more headers than the plain one had."""
        if believed.text == plain.text:
            return self.mark(name, plain)
        if believed.who is None:
            return other
        forged_one = believed.who not in (plain.who, name, "nobody") or believed.verdict == "SUCCESS" != plain.verdict
        return "FORGED" if forged_one else other

    def connection(self, name):
        """What a client names in `Connection` a proxy takes off, and some do that last."""
        client = Client(self.pki, self.port, name, self.writer.versions[-1])
        plain = self.ask(client)
        if plain.text == HANDSHAKE:
            return
        worst = {}
        for owned in self.writer.owned[:4]:
            believed = self.ask(client, [("Connection", f"keep-alive, {owned}")])
            mark = self.beside(name, believed, plain, "lost")
            worst.setdefault((believed.text, mark), []).append(owned)
        for (text, mark), names in worst.items():
            some = ", ".join(f"`{name}`" for name in names[:2]) + (", …" if len(names) > 2 else "")
            self.row(f"{name or 'nobody'} names {some} in `Connection`", self.writer.versions[-1], text, mark)
        client.close()


def verdicts():
    """What somebody whose certificate nobody verified would like to have said."""
    for name, value in forged.VERDICTS:
        for sign in "-_.":
            yield name, [(name.replace("-", sign).replace("_", sign), value)]
            yield name, [(name.replace("-", sign).replace("_", sign), "0")]


def run_all(writers, cache, program, pki, attempts, only, skipped):
    """Every pair's rows, with the writer."""
    for number, writer in enumerate(writers):
        if only not in writer.title:
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            folder.chmod(0o755)
            try:
                with reader(program, writer.dialect, folder, pki) as backend:
                    tap = Tap(backend)
                    with writer.start(cache, folder, pki, tap.port) as port:
                        pair = Pair(writer, pki, port, tap, number)
                        pair.plain()
                        for client in [None, "alice"]:
                            pair.forged(client, attempts)
                        pair.forged("self-made", list(verdicts()))
                        for client in [None, "alice", "self-made"]:
                            pair.connection(client)
                    tap.close()
                yield pair
            except NotStarted as why:
                skipped.append(f"{writer.title}: {why}")


class Recorded:
    """A writer that can't be had, by what it sent."""

    recorded, note = False, ""

    def __init__(self, name, version, dialect):
        self.name, self.version, self.dialect, self.setting = name, version, dialect, "recorded"

    @property
    def title(self):
        return f"{self.name} {self.version}, {self.setting}, read as {self.dialect}"


class Replayed:
    """The rows of a recording: is who presented a certificate the one who is believed?"""

    def __init__(self, writer, order):
        self.writer, self.order, self.rows, self.wrong = writer, order, [], 0

    def row(self, case, believed, right):
        self.wrong += not right
        self.rows.append((case, "", believed, "ok" if right else "WRONG"))
        print(" | ".join((self.writer.title, *self.rows[-1])), flush=True)


def replay(program, folder, pki, only):
    """What Skipper and Traefik were recorded to send, to our reader."""
    for order, (name, version, dialect) in enumerate([
            ("Skipper", "527238d1", "skipper"), ("Traefik", "3.7.9", "traefik")], start=1000):
        pair = Replayed(Recorded(name, version, dialect), order)
        if only not in pair.writer.title:
            continue
        with reader(program, dialect, folder, pki) as port:
            for file in sorted((ROOT / f"tests/data/recorded/{name.lower()}").glob("*.json")):
                recorded = json.loads(file.read_text())
                presented = [hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
                             for pem in recorded["presented_pem"]]
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                connection.request("GET", "/", headers=recorded["headers"])
                answer = json.loads(connection.getresponse().read())
                right = answer.get("chain") == presented
                believed = "the client, all of its chain" if right else json.dumps(answer)[:80]
                pair.row(f"certificate {file.stem}", believed, right)
                connection.close()
        yield pair
