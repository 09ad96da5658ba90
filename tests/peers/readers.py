"""The readers: what installs and starts each, and what its answer says."""

import base64
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
import zipfile

from process import NotStarted, Process, free_port, run

HERE = pathlib.Path(__file__).resolve().parent
TOMCATS = ["11.0.27", "10.1.49"]
UNDERTOW = "2.4.4.Final"
JETTY = "12.1.14"
KEYCLOAKS = ["26.7.3", "26.5.6"]


class Running:
    """A reader that runs: its answer to a request, in our words."""

    def __init__(self, name, version, port, believed, validated=None, silent=False):
        """`silent` if nothing that we write reaches a program behind it."""
        self.name, self.version, self.port, self.believed = name, version, port, believed
        self.validated, self.silent = validated, silent


class Jetty:
    """ForwardedRequestCustomizer, which tells of the session and of no certificate."""

    def __init__(self, cache, pki):
        self.cache, self.pki, self.title = cache, pki, f"Jetty {JETTY}"

    def __enter__(self):
        jars = self.cache / f"jetty-{JETTY}"
        if not jars.exists():
            run(["mvn", "-q", "-f", HERE / "jetty/pom.xml", f"-Djetty={JETTY}", "dependency:copy-dependencies",
                 f"-DoutputDirectory={jars}"])
        port = free_port()
        self.process = Process(["java", "-cp", f"{jars}/*", HERE / "jetty/Reader.java", port], self.cache / "jetty.log")
        self.process.listens(port)
        return Running("Jetty ForwardedRequestCustomizer", JETTY, port, self.believed, silent=True)

    def __exit__(self, *_):
        self.process.stop()

    def believed(self, connection, headers):
        response, body = get(connection, "GET", "/", headers)
        if response.status != 200:
            return f"status {response.status}"
        return "nobody" if body == b"[]" else "a forged TLS session"


class Servlet:
    """A server out of tomcat/Readers.java."""

    def __init__(self, cache, pki, argument, tomcat, name):
        self.cache, self.pki, self.argument, self.tomcat, self.name = cache, pki, argument, tomcat, name
        self.title = f"{name} {UNDERTOW if argument == 'undertow' else tomcat}"

    def __enter__(self):
        jars = self.cache / f"tomcat-{self.tomcat}"
        if not jars.exists():
            run(["mvn", "-q", "-f", HERE / "tomcat/pom.xml", f"-Dtomcat={self.tomcat}", f"-Dundertow={UNDERTOW}",
                 "dependency:copy-dependencies", f"-DoutputDirectory={jars}"])
        log = open(self.cache / "servlet.log", "w")
        self.process = subprocess.Popen(
            ["java", "-cp", f"{jars}/*", HERE / "tomcat/Readers.java", jars / "work", self.argument],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        for line in self.process.stdout:
            if line.startswith(self.argument + " "):
                _, version, port = line.split()
                return Running(self.name, version, int(port), self.believed)
        raise NotStarted(f"see {log.name}")

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def believed(self, connection, headers):
        response, body = get(connection, "GET", "/", headers)
        if response.status != 200:
            return f"status {response.status}"
        fingerprint, cipher = body.decode().split(" ", 1)
        # None of our dialects tells of a cipher, so it's the client's; Undertow has an empty text for none.
        return self.pki.who(fingerprint) + ("" if cipher in ("null", "") else ", with a forged cipher")


class Keycloak:
    """A client whose secret is its certificate asks for a token, which is bound to the certificate by its SHA-256."""

    def __init__(self, cache, pki, version, provider, options):
        # A client's `x509.casubjectdn`, and with it a validation of Keycloak's own.
        self.validates = version >= "26.6"
        # nginx's provider makes the chain from its truststore; to the others it must be told.
        self.trusted = pki.trusted if provider == "nginx" else pki.ca_file
        self.cache, self.pki, self.version, self.provider, self.options = cache, pki, version, provider, options
        self.name = f"Keycloak, {provider}" + "".join(f", {option}" for option in options)
        self.title = f"{self.name} {version}"

    def install(self):
        home = self.cache / f"keycloak-{self.version}"
        if not home.exists():
            file = self.cache / f"keycloak-quarkus-dist-{self.version}.zip"
            if not file.exists():
                run(["mvn", "-q", "dependency:copy", "-Dmdep.useBaseVersion=true", f"-DoutputDirectory={self.cache}",
                     f"-Dartifact=org.keycloak:keycloak-quarkus-dist:{self.version}:zip"])
            zipfile.ZipFile(file).extractall(self.cache)
        shutil.rmtree(home / "data", ignore_errors=True)
        realms = home / "data/import"
        realms.mkdir(parents=True, exist_ok=True)
        (realms / "peers.json").write_text((HERE / "keycloak/peers.json").read_text())
        return home

    def __enter__(self):
        home = self.install()
        port = free_port()
        spi = f"--spi-x509cert-lookup--{self.provider}--"
        log = open(self.cache / f"keycloak-{self.version}.log", "w")
        self.process = subprocess.Popen(
            ["sh", home / "bin/kc.sh", "start-dev", "--import-realm", "--http-host=127.0.0.1", f"--http-port={port}",
             "--http-enabled=true", "--hostname-strict=false", "--proxy-headers=xforwarded",
             "--proxy-trusted-addresses=127.0.0.1", f"--truststore-paths={self.trusted}", "--log-level=warn",
             f"--spi-x509cert-lookup--provider={self.provider}", *[spi + option for option in self.options]],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "JAVA_OPTS_KC_HEAP": "-Xms256m -Xmx768m"})
        try:
            self.wait(f"http://127.0.0.1:{port}/realms/peers", pathlib.Path(log.name))
        except BaseException:
            self.__exit__()
            raise
        validated = self.validated if self.validates else None
        return Running(self.name, self.version, port, self.believed, validated)

    def wait(self, ready, log):
        until = time.monotonic() + 180
        while self.process.poll() is None and time.monotonic() < until:
            try:
                urllib.request.urlopen(ready, timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        raise NotStarted(f"see {log}: {log.read_text().strip()[-300:]}")

    def __exit__(self, *_):
        # The script and the Java that it started are a group of their own.
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        self.process.wait()

    def validated(self, connection, headers):
        """Whom Keycloak takes the client for where it looks for a path to the client CA itself."""
        return self.believed(connection, headers, "validated")

    def believed(self, connection, headers, client="whoever"):
        form = f"grant_type=client_credentials&client_id={client}"
        headers = [*headers, ("content-type", "application/x-www-form-urlencoded")]
        response, body = get(connection, "POST", "/realms/peers/protocol/openid-connect/token", headers, form)
        if response.status in (400, 401):
            return "nobody"
        if response.status != 200:
            return f"status {response.status}"
        claims = json.loads(decode(json.loads(body)["access_token"].split(".")[1]))
        return self.pki.who(decode(claims["cnf"]["x5t#S256"]).hex())


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def get(connection, method, path, headers, form=None):
    connection.putrequest(method, path)
    for name, value in headers:
        connection.putheader(name, value)
    if form is not None:
        connection.putheader("content-length", str(len(form)))
    connection.endheaders(form.encode() if form is not None else None)
    response = connection.getresponse()
    return response, response.read()


def all_of(cache, pki):
    """Each reader as the documentation recommends it, with the proxy's arguments, and whether a chain arrives."""
    def dialect(name, *more, chain=True):
        return ["--dialect", name, *more], chain

    # Nothing that we write is read by it, so everybody is nobody.
    yield Jetty(cache, pki), [dialect("skipper")]
    for tomcat in TOMCATS:
        yield Servlet(cache, pki, "tomcat", tomcat, "Tomcat SSLValve"), [dialect("apache")]
        for name, header in [("nginx", "X-SSL-Client-Cert"), ("ingress-nginx", "ssl-client-cert")]:
            argument = f"tomcat={header}"
            yield Servlet(cache, pki, argument, tomcat, f"Tomcat SSLValve, both {header}"), [dialect(name)]
    yield Servlet(cache, pki, "undertow", TOMCATS[0], "Undertow SSLHeaderHandler"), [dialect("apache")]

    for version in KEYCLOAKS:
        def keycloak(provider, *options):
            return Keycloak(cache, pki, version, provider, options)

        new = version >= "26.6"
        if new:
            verifying = dialect("traefik", "--client-auth", "VerifyClientCertIfGiven")
            # The last is not recommended, but by our own default: what the documentation warns of.
            yield keycloak("traefik"), [dialect("skipper", "--only-verified"), verifying, dialect("skipper")]
            yield keycloak("envoy"), [dialect("envoy", chain=False), dialect("envoy;chain")]
        yield keycloak("rfc9440"), [dialect("rfc9440", "--leaf-only", chain=False), dialect("rfc9440")]
        yield keycloak("nginx", "ssl-client-cert=X-SSL-Client-Cert"), [dialect("nginx")]
        yield (keycloak("nginx", "ssl-client-cert=ssl-client-cert", "trust-proxy-verification=true"),
               [dialect("ingress-nginx")])
        yield keycloak("nginx", "ssl-client-cert=X-Amzn-Mtls-Clientcert-Leaf"), [dialect("aws-alb-verify")]
        yield (keycloak("apache", "ssl-client-cert=SSL_CLIENT_CERT", "ssl-cert-chain-prefix=SSL_CLIENT_CERT_CHAIN"),
               [dialect("apache")])
        chain = "ssl-cert-chain=X-SSL-Client-Chain" if new else "ssl-cert-chain-prefix=X-SSL-Client-Chain"
        yield keycloak("haproxy", "ssl-client-cert=X-SSL-Client-Cert", chain), [dialect("haproxy", chain=new) if new else dialect("haproxy;chain-in-headers")]
