"""What writers sent, as `tests/data/recorded/<writer>/<setting>/<client>.json`, for `cargo test`."""

import json
import pathlib
import re

RECORDED = pathlib.Path(__file__).parents[1] / "data/recorded"


def slug(text):
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")


def headers_of(request, owned):
    """The headers under the writer's names, in its spelling; a character each byte, as in ISO 8859-1."""
    head = request.decode("latin-1").split("\r\n\r\n")[0]
    fields = [line.split(":", 1) for line in head.split("\r\n")[1:] if ":" in line]
    fold = {re.sub(r"[^a-z0-9]", "-", name.lower()) for name in owned}
    return {name: value.strip(" \t") for name, value in fields
            if re.sub(r"[^a-z0-9]", "-", name.lower()) in fold}


def record(pair):
    """The same headers once, however they came about."""
    writer = pair.writer
    # One dialect is its own; Caddy's versions differ.
    parts = [writer.version if writer.name == "Caddy" else "", writer.setting]
    parts.append("" if writer.dialect.split(";")[0] == writer.name.lower() else writer.dialect)
    folder = RECORDED / slug(writer.name) / slug(" ".join(parts))
    folder.mkdir(parents=True, exist_ok=True)
    seen = {}
    for (client, resumed, version), sent in sorted(pair.sent.items(), key=lambda item: (
            str(item[0][0]), item[0][1], item[0][2] != "1.3")):
        if not sent or client in ("long", "longer"):
            continue
        headers = headers_of(sent, writer.owned)
        if seen.get(client) == headers or seen.get((client, resumed)) == headers:
            continue
        name = slug(client or "nobody") + ("-resumed" if resumed else "")
        if (client, resumed) in seen:
            name += f"-tls{version}"
        seen.setdefault(client, headers)
        seen[client, resumed] = headers
        certificate = pair.pki.files[client][0].read_text() if client else ""
        end = "-----END CERTIFICATE-----\n"
        presented = [part + end for part in certificate.split(end)[:-1]]
        (folder / f"{name}.json").write_text(json.dumps({
            "writer": f"{writer.name} {writer.version}, {writer.setting}, TLS {version}",
            "dialect": writer.dialect, "presented_pem": presented, "headers": headers},
            indent=1, ensure_ascii=False) + "\n")
