"""The servers that `.ci/doctor` starts, with every fault, and the certificates for them."""

import contextlib
import json
import os
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/peers"))
from process import NotStarted, Process, free_port, run  # noqa: E402

TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
PEERS = TARGET / "peers"


class Pki:
    """By openssl: a server, the CA of the clients with alice, and a CA that nobody knows."""

    def __init__(self, folder):
        self.folder = folder
        for ca in ("server-ca", "client-ca", "other-ca"):
            self.openssl("req", "-x509", *self.new(ca), "-subj", f"/CN={ca}", "-days", "2",
                         "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        self.issue("server", "server-ca", "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth")
        self.issue("alice", "client-ca", "extendedKeyUsage=clientAuth")
        both = self.file("server.pem").read_text() + self.file("server.key").read_text()
        self.file("server-with-key.pem").write_text(both)

    def file(self, name):
        return self.folder / name

    def openssl(self, *arguments):
        run(["openssl", *map(str, arguments)])

    def new(self, name):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.file(f"{name}.key"),
                "-out", self.file(f"{name}.pem"))

    def issue(self, name, ca, extensions):
        self.openssl("req", *self.new(name), "-subj", f"/CN={name}")
        self.file(f"{name}.ext").write_text(f"basicConstraints=CA:FALSE\n{extensions}\n")
        self.openssl("x509", "-req", "-in", self.file(f"{name}.pem"), "-CA", self.file(f"{ca}.pem"), "-CAkey",
                     self.file(f"{ca}.key"), "-days", "1", "-extfile", self.file(f"{name}.ext"), "-out",
                     self.file(f"{name}.crt"), "-CAcreateserial")
        self.file(f"{name}.crt").replace(self.file(f"{name}.pem"))


class Server:
    """A server with settings: whether it asks, whose CA it knows, whether it forwards, and further lines."""

    # What it is taken for, by its own word. Each has a `flag`, which is what --server calls it.
    kind = None
    resumption = "the session is resumed, and the answer does not change"

    def __init__(self, pki, upstream):
        self.pki, self.upstream = pki, upstream

    @contextlib.contextmanager
    def start(self, asks=True, ca="client-ca", forwards=True, lines=()):
        settings = asks, self.pki.file(f"{ca}.pem"), forwards, list(lines)
        for last in (False, False, True):
            process = None
            try:
                process, port = self.launch(*settings)
                break
            except NotStarted as why:
                # Most can't be told to take any free port, so somebody else may get it first.
                if last or "in use" not in str(why) and "cannot bind" not in str(why):
                    raise
        try:
            yield port
        finally:
            process.stop()

    def write(self, name, text):
        file = self.pki.file(name)
        file.write_text(text)
        return file


class Nginx(Server):
    name, kind, flag = "nginx", "nginx", "nginx"

    @staticmethod
    def program():
        return shutil.which("nginx")

    def launch(self, asks, ca, forwards, lines):
        port, folder = free_port(), self.pki.folder
        if asks:
            lines = [f"ssl_client_certificate {ca};", "ssl_verify_client optional;", *lines]
        if forwards:
            lines = ["proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;",
                     "proxy_set_header X-SSL-Client-Verify $ssl_client_verify;", *lines]
        config = self.write("nginx.conf", f"""
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr error; events {{}}
http {{
    access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder}; proxy_headers_hash_max_size 4096;
    server {{
        listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:doctor:1m;
        ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key;
        {chr(10).join(lines)}
        location / {{ proxy_pass http://127.0.0.1:{self.upstream}; }}
    }}
}}
""")
        process = Process([self.program(), "-e", "stderr", "-p", folder, "-c", config], folder / "nginx.log")
        return process, process.listens(port)


class HaProxy(Server):
    name, flag = "HAProxy", "haproxy"

    @staticmethod
    def program():
        return shutil.which("haproxy")

    def launch(self, asks, ca, forwards, lines):
        port, folder = free_port(), self.pki.folder
        verify = f"verify optional ca-file {ca}" if asks else ""
        if forwards:
            lines = [*lines, "http-request set-header X-SSL-Client-Cert %[ssl_c_der,base64]",
                     "http-request set-header X-SSL-Client-Verify %[ssl_c_verify]"]
        config = self.write("haproxy.cfg", f"""
global
    maxconn 100
defaults
    mode http
    timeout connect 20s
    timeout client 20s
    timeout server 20s
frontend edge
    bind 127.0.0.1:{port} ssl crt {folder}/server-with-key.pem {verify}
    {(chr(10) + "    ").join(lines)}
    default_backend app
backend app
    server app 127.0.0.1:{self.upstream}
""")
        process = Process([self.program(), "-db", "-f", config], folder / "haproxy.log")
        return process, process.listens(port)


class Caddy(Server):
    name, kind, flag = "Caddy", "Caddy", "caddy"
    resumption = "the session is not resumed: every connection is a full handshake"

    @staticmethod
    def program():
        return newest("caddy-*/bin/caddy") or shutil.which("caddy")

    def launch(self, asks, ca, forwards, lines):
        port, folder = free_port(), self.pki.folder
        auth = f"client_auth {{\n mode verify_if_given\n trust_pool file {ca}\n }}" if asks else ""
        if forwards:
            lines = [*lines, "header_up X-Client-Cert {http.request.tls.client.certificate_der_base64}"]
        config = self.write("Caddyfile", f"""
{{
    admin off
    auto_https off
    persist_config off
    default_bind 127.0.0.1
}}
https://localhost:{port} {{
    tls {folder}/server.pem {folder}/server.key {{
        {auth}
    }}
    reverse_proxy 127.0.0.1:{self.upstream} {{
        {chr(10).join(lines)}
    }}
}}
""")
        environment = {"HOME": str(folder), "XDG_DATA_HOME": str(folder)}
        command = [self.program(), "run", "--adapter", "caddyfile", "--config", config]
        process = Process(command, folder / "caddy.log", environment)
        return process, process.listens(port)


class Envoy(Server):
    name, kind, flag = "Envoy", "Envoy", "envoy"

    @staticmethod
    def program():
        return newest("envoy-*/envoy/_bin/envoy") or shutil.which("envoy")

    def launch(self, asks, ca, forwards, lines):
        port, folder = free_port(), self.pki.folder
        extensions = "type.googleapis.com/envoy.extensions."
        address = lambda port: {"socket_address": {"address": "127.0.0.1", "port_value": port}}  # noqa: E731
        removed = [line.split('"')[1] for line in lines if '"' in line]
        manager = {
            "@type": extensions + "filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "edge",
            "forward_client_cert_details": "SANITIZE_SET" if forwards else "SANITIZE",
            "set_current_client_cert_details": {"cert": True} if forwards else {},
            "route_config": {"request_headers_to_remove": removed, "virtual_hosts": [
                {"name": "all", "domains": ["*"],
                 "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}]}]},
            "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {
                "@type": extensions + "filters.http.router.v3.Router"}}]}
        tls = {
            "@type": extensions + "transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_params": {"tls_maximum_protocol_version": "TLSv1_3"},
                "tls_certificates": [{"certificate_chain": {"filename": f"{folder}/server.pem"},
                                      "private_key": {"filename": f"{folder}/server.key"}}]}}
        if asks:
            tls["common_tls_context"]["validation_context"] = {"trusted_ca": {"filename": str(ca)}}
        config = self.write("envoy.json", json.dumps({"static_resources": {
            "listeners": [{"name": "edge", "address": address(port), "filter_chains": [{
                "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
                "transport_socket": {"name": "tls", "typed_config": tls}}]}],
            "clusters": [{"name": "app", "type": "STATIC", "load_assignment": {
                "cluster_name": "app", "endpoints": [{"lb_endpoints": [
                    {"endpoint": {"address": address(self.upstream)}}]}]}}]}}))
        process = Process([self.program(), "-c", config, "--concurrency", "1", "--disable-hot-restart", "-l", "warning"],
                          folder / "envoy.log")
        return process, process.listens(port)


class EdgeProxy(Server):
    name, flag = "this crate", "tower-client-cert"

    @staticmethod
    def program():
        built = [TARGET / kind / "examples/edge_proxy" for kind in ("release", "debug")]
        return next((file for file in built if file.exists()), None)

    def launch(self, asks, ca, forwards, lines):
        # It has no way not to forward what it asked for.
        policy = "VerifyClientCertIfGiven" if asks and forwards else "NoClientCert"
        return self.with_policy(policy, ca, lines)

    def with_policy(self, policy, ca, lines=()):
        folder = self.pki.folder
        cas = ["--client-ca", ca] if policy != "NoClientCert" else []
        process = Process([self.program(), "--listen", "127.0.0.1:0", "--backend", f"127.0.0.1:{self.upstream}", "--cert",
                           folder / "server.pem", "--key", folder / "server.key", "--client-auth", policy, *cas, *lines],
                          folder / "edge_proxy.log")
        return process, int(process.says("listening on https://").rsplit(":", 1)[1])


def newest(pattern):
    found = sorted(PEERS.glob(pattern), key=lambda file: file.stat().st_mtime)
    return found[-1] if found else None
