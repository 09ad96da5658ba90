"""Certificates: a CA of the clients and whoever has one from it, and one who has made hers herself."""

import base64
import datetime
import json
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM
DER = serialization.Encoding.DER
# In a name of which OpenSSL and webpki think nothing, and a reader that splits at every `;` a lot.
FIELD = ";Cert="


class Holder:
    """A certificate with its key."""

    def __init__(self, name, issuer=None, ca=False, alt_names=(), organization=None, padding=0):
        self.name, self.issuer = name, issuer
        self.key = ec.generate_private_key(ec.SECP256R1())
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if organization:
            parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization, _validate=False))
        subject = x509.Name(parts)
        now = datetime.datetime.now(datetime.timezone.utc)
        signer = issuer or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if ca:
            usage = {use: False for use in (
                "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                "encipher_only", "decipher_only")}
            builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
        if alt_names:
            builder = builder.add_extension(x509.SubjectAlternativeName(alt_names), critical=False)
        if padding:
            comment = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\4\0" + bytes(padding))
            builder = builder.add_extension(comment, critical=False)
        self.certificate = builder.sign(signer.key, hashes.SHA256())

    def der(self):
        return self.certificate.public_bytes(DER)

    def pem(self):
        return self.certificate.public_bytes(PEM).decode()

    def sha256(self):
        return self.certificate.fingerprint(hashes.SHA256())

    def issuers(self):
        """The intermediates, the nearest first."""
        issuer = self.issuer
        while issuer and issuer.issuer:
            yield issuer
            issuer = issuer.issuer

    def write(self, folder):
        """The files that a TLS endpoint reads: the certificate, the intermediates, the key."""
        chain = self.pem() + "".join(issuer.pem() for issuer in self.issuers())
        certificate, key = folder / f"{self.name}.pem", folder / f"{self.name}.key"
        certificate.write_text(chain)
        key.write_bytes(self.key.private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return certificate, key


class Pki:
    def __init__(self, folder):
        self.ca = Holder("client CA", ca=True)
        intermediate = Holder("intermediate", self.ca, ca=True)
        server = Holder("localhost", alt_names=[x509.DNSName("localhost")])
        # Of whose URI Envoy makes a `By`.
        named = Holder("named", alt_names=[
            x509.DNSName("localhost"), x509.UniformResourceIdentifier("spiffe://peers/proxy")])
        self.bob = Holder("bob", self.ca)
        bobs = FIELD + urllib.parse.quote(self.bob.pem(), safe="")
        self.clients = {
            "alice": Holder("alice", self.ca),
            "alice of an intermediate": Holder("alice of an intermediate", intermediate),
            "honest": Holder("honest", self.ca, organization="x;Cert=y"),
            "self-made": Holder("self-made"),
            # Of the operator's own CA, which looks at other things than these.
            "URI": Holder("URI", self.ca, alt_names=[x509.UniformResourceIdentifier("https://x.example/" + bobs)]),
            "DNS": Holder("DNS", self.ca, alt_names=[x509.DNSName("x" + bobs)]),
            "subject": Holder("subject", self.ca, organization="x" + bobs),
            "comma": Holder("comma", self.ca, alt_names=[x509.UniformResourceIdentifier("x:y,Hash=0" + bobs)]),
            "By": Holder("By", self.ca, alt_names=[
                x509.UniformResourceIdentifier(f"x:y,By=x:proxy;Hash={self.bob.sha256().hex()}" + bobs)]),
            "odd": Holder("odd", self.ca, organization='a",;=\\é', alt_names=[
                x509.UniformResourceIdentifier('x:a",;=\\'), x509.DNSName('a",;=\\.example')]),
            "long": Holder("long", self.long_chain(3, 2300)),
            "longer": Holder("longer", self.long_chain(4, 4700)),
            # The first of two proxies.
            "edge": Holder("edge", self.ca, alt_names=[x509.UniformResourceIdentifier("spiffe://peers/edge")]),
        }
        self.server, self.server_key = server.write(folder)
        self.named = named.write(folder)
        self.servers = folder / "servers.pem"
        self.servers.write_text(server.pem() + named.pem())
        self.ca_file = folder / "client-ca.pem"
        self.ca_file.write_text(self.ca.pem())
        self.trusted = folder / "truststore.pem"
        chains = [self.clients[name].issuers() for name in ("alice of an intermediate", "long", "longer")]
        self.trusted.write_text(self.ca.pem() + "".join(issuer.pem() for chain in chains for issuer in chain))
        self.files = {name: holder.write(folder) for name, holder in self.clients.items()}
        self.known = {holder.sha256().hex(): name for name, holder in [*self.clients.items(), ("bob", self.bob)]}

    def long_chain(self, intermediates, padding):
        """Intermediates that are that much larger than most, of which the last issues the leaf."""
        issuer = self.ca
        for number in range(intermediates):
            issuer = Holder(f"long intermediate {number}", issuer, ca=True, padding=padding)
        return issuer

    def who(self, fingerprint):
        """Whose certificate a reader took a client's to be."""
        return "nobody" if fingerprint == "-" else self.known.get(fingerprint, f"a stranger ({fingerprint})")


def spellings(holder):
    """A certificate as the readers in the field have it, by the name of the shape."""
    pem, base = holder.pem(), base64.b64encode(holder.der()).decode()
    escaped = urllib.parse.quote(pem, safe="")
    return {
        "PEM with spaces": pem.strip().replace("\n", " "),
        "percent-encoded PEM": escaped,
        "base64 DER": base,
        "RFC 9440": f":{base}:",
        "XFCC": f'Hash={holder.sha256().hex()};Cert="{escaped}";Subject="CN={holder.name}"',
        "XFCC with Chain": f'Hash={holder.sha256().hex()};Chain="{escaped}";Subject="CN={holder.name}"',
        "XFCC in JSON": json.dumps([{"hash": holder.sha256().hex(), "cert": pem, "subject": f"CN={holder.name}"}]),
        # A proxy that appends its own element without a look at this one would have it swallowed.
        "XFCC with an open quote": f'Hash={holder.sha256().hex()};Cert="{escaped}";Subject="',
        "SUCCESS": "SUCCESS",
    }
