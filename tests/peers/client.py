"""A TLS client that writes its headers as they are, and resumes sessions if it is told to."""

import http.client
import socket
import ssl

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Refused(Exception):
    """In the handshake."""


class Client:
    """Somebody with or without a certificate, in one version of TLS."""

    def __init__(self, pki, port, name, version="1.3"):
        self.port, self.session, self.socket = port, None, None
        self.context = ssl.create_default_context(cafile=pki.servers)
        self.context.minimum_version = self.context.maximum_version = VERSIONS[version]
        if name:
            self.context.load_cert_chain(*pki.files[name])

    def connect(self, resume=False):
        self.close()
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        session = self.session if resume else None
        try:
            self.socket = self.context.wrap_socket(plain, server_hostname="localhost", session=session)
        except (ssl.SSLError, ConnectionError) as error:
            plain.close()
            raise Refused(getattr(error, "reason", None) or str(error)) from error
        return self

    def get(self, headers=()):
        """The status and the body of the answer; what arrives with it includes the tickets of TLS 1.3."""
        lines = ["GET / HTTP/1.1", "Host: localhost", *[f"{name}: {value}" for name, value in headers], "", ""]
        try:
            self.socket.sendall("\r\n".join(lines).encode())
            response = http.client.HTTPResponse(self.socket)
            response.begin()
            body = response.read()
        except (ssl.SSLError, ConnectionError) as error:
            raise Refused(getattr(error, "reason", None) or str(error)) from error
        self.session = self.socket.session or self.session
        if response.will_close:
            self.close()
        return response.status, body

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None
