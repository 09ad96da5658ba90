"""Every name that a client could forge: the table of `src/docs/stripped.md`, its families by their members."""

import pathlib

TABLE = pathlib.Path(__file__).parents[2] / "src/docs/stripped.md"

# What comes after the beginning that the table has. Whoever adds a family adds its members.
MEMBERS = {
    "x-forwarded-tls-client-cert": ["", "-verify", "-info", "-chain"],
    "x-forwarded-ssl-client-cert": ["", "-infos"],
    "x-forwarded-client-cert": ["", "-chain", "-verify"],
    "client-cert": ["", "-chain", "-leaf", "-present", "-chain-verified", "-subject-dn"],
    "x-ssl-client-": ["cert", "verify", "chain", "chain-0", "chain-1", "certificate", "dn", "cn", "s-dn", "sha1"],
    "ssl-client-": [
        "cert", "escaped-cert", "raw-cert", "cert-chain", "cert-chain-0", "cert-chain-1", "cert-chain-9",
        "cert-chain-17", "verify", "subject-dn", "issuer-dn", "s-dn", "i-dn", "fingerprint", "m-serial",
    ],
    "x-amzn-mtls-": [
        "clientcert", "clientcert-leaf", "clientcert-serial-number", "clientcert-issuer", "clientcert-subject",
        "clientcert-validity",
    ],
    "cloudfront-viewer-cert-": ["pem", "present", "sha256", "subject", "issuer", "serial-number", "validity"],
    "x-client-cert": ["", "-leaf", "-chain", "-chain-verified", "-subject-dn", "-fingerprint"],
    "cf-client-cert": ["", "-der-base64", "-sha256"],
    "x-remote-extra-": ["scopes"],
}


def names():
    known = []
    for line in TABLE.read_text().splitlines():
        if not line.startswith("| `"):
            continue
        name = line.split("`")[1]
        if name.endswith("*"):
            known += [name[:-1] + member for member in MEMBERS[name[:-1]]]
        else:
            known.append(name)
    assert len(known) > 60, "the table has another form than this expects"
    return known


def spelt():
    """Each name in each spelling."""
    return sorted({name.replace("-", sign) for name in names() for sign in "-_."})


def is_verdict(name):
    return name.replace("_", "-").replace(".", "-").endswith("verify")


# Every verdict, in the spelling of the reader that looks at it.
VERDICTS = [(name, "SUCCESS") for name in (
    "ssl-client-verify", "SSL_CLIENT_VERIFY", "X-SSL-Client-Verify", "X-Forwarded-Tls-Client-Cert-Verify")]


def attempts(shapes):
    """One forged header each, as every shape of the certificate, beside every verdict."""
    for name in spelt():
        for shape, value in shapes.items():
            beside = [] if is_verdict(name) else VERDICTS
            yield f"{name} ({shape})", [(name, value), *beside]
