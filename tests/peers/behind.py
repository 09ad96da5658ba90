"""Real readers behind edge_proxy: whom each takes a client for."""

import collections
import http.client
import os
import pathlib
import ssl
import subprocess
import tempfile

from in_front import CASES
from process import NotStarted

ROOT = pathlib.Path(__file__).resolve().parents[2]

# The certificates in which a name pretends to be a field of the header.
FIELDS_IN_NAMES = ["URI", "DNS", "subject", "comma", "By"]

# What a policy that verifies does with a certificate that it can't.
REFUSED = "refused in the handshake"


class Proxy:
    """edge_proxy in front of a reader, until the end of a `with`."""

    def __init__(self, program, pki, backend, arguments):
        self.command = [
            program, "--listen", "127.0.0.1:0", "--backend", f"127.0.0.1:{backend}", "--cert", pki.server, "--key",
            pki.server_key, "--client-ca", pki.ca_file, *arguments,
        ]
        self.pki = pki

    def __enter__(self):
        self.log = tempfile.TemporaryFile("w+")
        environment = {**os.environ, "RUST_LOG": "warn"}
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment)
        for line in self.process.stdout:
            if "listening on https://" in line:
                self.port = int(line.strip().split("https://")[1].split()[0].rsplit(":", 1)[1])
                return self
        self.log.seek(0)
        raise RuntimeError(f"edge_proxy did not start: {self.log.read()}")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def connect(self, client):
        context = ssl.create_default_context(cafile=self.pki.server)
        context.check_hostname = False
        if client:
            context.load_cert_chain(*self.pki.files[client])
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=30)


def ask(believed, connection, headers=()):
    """What a reader believes of a request: whom it takes the client for, or what went wrong."""
    for last in (False, True):
        try:
            return believed(connection, headers)
        except (http.client.HTTPException, OSError) as error:
            connection.close()
            if isinstance(error, ssl.SSLError):
                return REFUSED
            if last:
                return f"no answer ({type(error).__name__})"


class Pair:
    """A reader behind edge_proxy, with the dialect that the documentation recommends for it."""

    def __init__(self, reader, pki, arguments, chain, order):
        self.reader, self.pki, self.arguments, self.chain, self.order = reader, pki, arguments, chain, order
        self.rows, self.wrong = [], 0

    @property
    def title(self):
        return f"{self.reader.name} {self.reader.version}, `{' '.join(self.arguments)}`"

    def row(self, case, believed, right=None, may_refuse=False, certificate=False):
        """`right` is what the reader should have believed; without it the case is on record only."""
        mark = "" if right is None else "ok" if believed in right else "WRONG"
        if mark == "WRONG" and believed.startswith(("status", "no answer")):
            mark = "refused"
        if mark == "ok" and certificate and self.reader.silent:
            mark = "lost"
        self.wrong += mark == "WRONG" or mark == "refused" and not may_refuse
        self.rows.append((case, believed, mark))
        print(" | ".join((self.title, case, believed, mark)), flush=True)

    def right(self, client):
        return [client if client and not self.reader.silent else "nobody"]

    def plain(self, proxy):
        def asked(client, believed=self.reader.believed):
            return ask(believed, proxy.connect(client))

        self.row(CASES[None], asked(None), self.right(None))
        for client in ["alice", "alice of an intermediate", "odd", "honest", "long", *FIELDS_IN_NAMES]:
            case = CASES.get(client, "an honest name with `;Cert=y`")
            # More than some servers take.
            large = client == "long"
            self.row(case, asked(client), self.right(client), may_refuse=large, certificate=True)
        self.row(CASES["self-made"], asked("self-made"))
        if self.reader.validated:
            right = {client: [client] for client in ["alice", "alice of an intermediate", *FIELDS_IN_NAMES]}
            right["self-made"] = ["nobody", REFUSED]
            if not self.chain:
                right["alice of an intermediate"] = None
            for client, rights in right.items():
                self.row(f"validated by the reader: {CASES[client]}", asked(client, self.reader.validated), rights)

    def forged(self, proxy, client, attempts):
        connection = proxy.connect(client)
        [right] = self.right(client)
        believed = collections.defaultdict(list)
        for what, headers in attempts:
            believed[ask(self.reader.believed, connection, headers)].append(what)
        for answer, whats in sorted(believed.items()):
            some = "" if answer == right else ": " + ", ".join(whats[:8]) + (", …" if len(whats) > 8 else "")
            case = f"{len(whats)} forged headers of {client or 'nobody'}{some}"
            self.row(case, answer, [right], may_refuse=True)

    def unprotected(self, attempts):
        """Without the proxy forged headers must be believed, or nothing was tried."""
        connection = http.client.HTTPConnection("127.0.0.1", self.reader.port, timeout=30)
        # Without this header, which every proxy sends, some look at nothing.
        proxy = ("X-Forwarded-For", "127.0.0.1")
        answers = [(what.split(" (")[0], ask(self.reader.believed, connection, [proxy, *headers]))
                   for what, headers in attempts]
        believed = {(name, answer) for name, answer in answers if answer.startswith("bob") or "forged" in answer}
        for answer in sorted({answer for _, answer in believed} | ({"bob"} if not self.reader.silent else set())):
            names = ", ".join(sorted(name for name, other in believed if other == answer))
            right = [answer] if names else []
            self.row(f"past the proxy: {names or 'none'}", answer, right)


def run_all(pairings, program, pki, attempts, every, only, skipped):
    """Every pair's rows, of each reader with each of its dialects; past the proxy with all of the attempts."""
    for order, (start, dialects) in enumerate(pairings):
        if only not in start.title:
            continue
        try:
            with start as reader:
                for number, (flags, chain) in enumerate(dialects):
                    pair = Pair(reader, pki, flags, chain, 10 * order + number)
                    with Proxy(program, pki, reader.port, flags) as proxy:
                        if number == 0:
                            pair.unprotected(attempts)
                        pair.plain(proxy)
                        for client in [None, "alice"]:
                            pair.forged(proxy, client, attempts[::every])
                    yield pair
        except NotStarted as why:
            skipped.append(f"{start.title}: {why}")
