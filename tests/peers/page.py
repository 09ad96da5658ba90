"""The results, kept one file a pair, and the page of the documentation made of all that are kept."""

import collections
import json
import pathlib
import re
import subprocess
import time

from record import slug

# Worst first.
MARKS = {
    "FORGED": "a forged header was believed",
    "UNVERIFIED BELIEVED": "a certificate that nobody verified was believed verified",
    "WRONG": "somebody else was believed",
    "refused": "an honest client was refused, or a forger",
    "lost": "the certificate, or the word on it, did not arrive",
    "nobody": "the client was taken for nobody",
    "": "on record only",
    "ok": "right",
}
# Whom a cell may have right; the longer names first.
CLIENTS = ["alice of an intermediate", "alice", "self-made", "honest", "odd", "URI", "DNS", "subject", "comma", "By",
           "longer", "long"]
BAD = ["FORGED", "UNVERIFIED BELIEVED", "WRONG"]

HEAD = """\
What real proxies in front of this crate's reader made it believe, and whom real servers behind `edge_proxy` took a
client for. `tests/peers/run --page` in the repository makes this page, and each table says when it ran.

Nobody has a certificate; everybody else has one of the operator's own CA, but for "self-made", whose certificate nobody
verified. Bob never connects: who is taken for him is somebody who forged his header, or has his certificate in the
names of an own one. "The client" is whoever it was. Past the proxy the forged headers must make bob of a reader, or
nothing was tried.
"""


def keep(kind, pair, folder):
    folder.mkdir(parents=True, exist_ok=True)
    writer = getattr(pair, "writer", None)
    name, version = (writer.name, writer.version) if writer else (pair.reader.name, pair.reader.version)
    setting, dialect = (writer.setting, writer.dialect) if writer else ("", " ".join(pair.arguments))
    rows = [row if kind == "writer" else (row[0], "", *row[1:]) for row in pair.rows]
    (folder / f"{kind}-{slug(f'{name} {version} {setting} {dialect}')}.json").write_text(json.dumps({
        "kind": kind, "order": pair.order, "name": name, "version": version, "setting": setting, "dialect": dialect,
        "note": writer.note if writer else "", "date": time.strftime("%Y-%m-%d", time.gmtime()), "code": code(),
        "rows": rows}, indent=1))


def code():
    """The last commit that changed what runs here of this crate."""
    command = ["git", "log", "-1", "--format=%h", "--", "src", "examples"]
    done = subprocess.run(command, cwd=pathlib.Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)
    return done.stdout.strip() or "unknown"


def short(believed, case):
    """A cell without what differs from client to client."""
    believed = re.sub(r"header `[^`]*`, byte \d+: ", "", believed)
    believed = re.sub(r"(; it looks like the dialect of .*|, and ClientCertLayer writes both.*)", "", believed)
    for who in CLIENTS:
        if believed.startswith(who) and not believed.startswith("status"):
            rest = believed[len(who):]
            if "forged headers of nobody" not in case and (not rest or rest[0] in ", ;("):
                return "the client" + re.sub(r"^ \+ \d+", " and the chain", rest)
    return believed


def table(result):
    """One row for all the cases that came out alike."""
    groups = collections.OrderedDict()
    for case, tls, believed, mark in result["rows"]:
        groups.setdefault((short(believed, case), mark), collections.OrderedDict()).setdefault(case, []).append(tls)
    lines = []
    for (believed, mark), cases in groups.items():
        by_tls = collections.OrderedDict()
        for case, versions in cases.items():
            by_tls.setdefault(", ".join(dict.fromkeys(versions)), []).append(case)
        for versions, names in by_tls.items():
            marked = f"**{mark}**" if mark in BAD else mark
            cells = ["; ".join(names), versions, believed, marked]
            lines.append(cells if result["kind"] == "writer" else [cells[0], *cells[2:]])
    return lines


def escaped(cell):
    return cell.replace("|", "\\|").replace("<", "&lt;")


def rows(head, lines):
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for line in lines:
        yield f"| {' | '.join(escaped(cell) for cell in line)} |"


def title(result):
    setting = f", {result['setting']}" if result["setting"] else ""
    what = f"read as `{result['dialect']}`" if result["kind"] == "writer" else f"`{result['dialect']}`"
    return f"{result['name']} ({result['version']}){setting}, {what}"


def summary(results):
    for result in results:
        count = collections.Counter(row[-1] for row in result["rows"])
        marks = [f"**{count[mark]} {mark}**" if mark in BAD else f"{count[mark]} {mark}" for mark in MARKS
                 if mark and count[mark]]
        yield [title(result), ", ".join(marks)]


def write(folder, skipped, page):
    results = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
    results.sort(key=lambda result: result["order"])
    lines = [HEAD, "| mark | what it says |", "| --- | --- |"]
    lines += [f"| {mark or '(none)'} | {meaning} |" for mark, meaning in MARKS.items()]
    for kind, heading, head in [
        ("writer", "Real writers, our reader", ["client", "TLS", "our reader believed", "mark"]),
        ("reader", "Our proxy, real readers", ["client", "the reader believed", "mark"]),
    ]:
        chosen = [result for result in results if result["kind"] == kind]
        lines += ["", f"# {heading}", "", *rows(["pair", "cases"], summary(chosen))]
        for result in chosen:
            lines += ["", f"## {title(result)}", ""]
            lines += [result["note"], ""] if result["note"] else []
            lines += [f"Ran on {result['date']}, with this crate's {result['code']}.", "", *rows(head, table(result))]
    if skipped:
        lines += ["", "# Not run", "", *[f"- {line}" for line in skipped]]
    page.write_text("\n".join(lines) + "\n")
