"""Envoy behind our proxy, over plain HTTP: what of our `x-forwarded-client-cert` reaches the program behind it."""

import http.server
import re
import threading
import urllib.parse

import envoy
from readers import Running, get
from web import fingerprint
from writers import ENVOY


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the header as it arrived, and with what Envoy reads in it itself."""

    protocol_version = "HTTP/1.1"
    # The whole answer at once, without which each waits for an acknowledgement.
    wbufsize = -1

    def do_GET(self):
        body = "\n".join([self.headers.get("x-forwarded-client-cert", ""), self.headers.get("x-envoys-view", "-")])
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


class EnvoyBehind:
    def __init__(self, cache, pki, mode, silent):
        self.cache, self.pki, self.mode, self.silent = cache, pki, mode, silent
        self.name = f"Envoy, plain HTTP, `{mode}`"
        self.title = f"{self.name} {ENVOY}"

    def __enter__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        program = envoy.install(self.cache, ENVOY)
        self.envoy = envoy.Envoy(program, self.cache, "second-hop", self.pki, self.server.server_address[1], self.mode,
                                 plain=True, view="%XFCC_VALUE(Hash)%")
        return Running(self.name, ENVOY, self.envoy.port, self.believed, silent=self.silent)

    def __exit__(self, *_):
        self.envoy.stop()
        self.server.shutdown()
        self.server.server_close()

    def believed(self, connection, headers):
        response, body = get(connection, "GET", "/", headers)
        if response.status != 200:
            return f"status {response.status}"
        header, view = body.decode("latin-1").split("\n")
        certificate = re.match(r'Hash=([0-9a-f]{64});Cert="([^"]*)"', header)
        if not header:
            return "nobody"
        who = self.pki.who(fingerprint(urllib.parse.unquote(certificate[2]))) if certificate else f"text: {header[:30]}"
        if certificate and view not in ("-", certificate[1]):
            return f"{who}, but Envoy's own view is {self.pki.who(view)}"
        return who


def all_of(cache, pki):
    # Every mode but the last takes the header off what comes without TLS.
    for mode in ["SANITIZE_SET", "APPEND_FORWARD", "FORWARD_ONLY", "ALWAYS_FORWARD_ONLY"]:
        yield EnvoyBehind(cache, pki, mode, mode != "ALWAYS_FORWARD_ONLY"), [(["--dialect", "envoy"], False)]
