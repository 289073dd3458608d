"""The page of a report: every claim with its figure, table, verdict and command, in one HTML file
that loads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from isoloss.files import check_target, write
from isoloss.files import versions as versions
from isoloss.papers.claim import Claim, PapersError
from isoloss.papers.page_look import STYLE as OWN_STYLE
from isoloss.papers.reading import Paper, papers
from isoloss.papers.result import Report, Reproduction
from isoloss.papers.showing import heads, row
from isoloss.papers.verdict import Verdict

#: Endings of a file; another path is a folder, in which the page is the index.
ENDINGS = (".html", ".htm")
#: What the page's browser may load: its own styles, and nothing else.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
#: Columns that hold words.
_WORDS = ("figure", "accepted", "unit", "outcome", "only if", "claim", "place", "rows", "verdict")


def check_page(path: str | Path, force: bool = False) -> Path:
    """The file that a page would be written to, asked before any work is done.

    Parameters
    ----------
    path
        A file that ends in .html, or a folder, which need not exist.
    force
        Replace a page that exists.

    Raises
    ------
    PapersError
        No page can be written there.
    """
    if str(path) == "":
        raise PapersError(
            "no page can be written to ''; give a folder or a file that ends in .html"
        )
    path = Path(path)
    if path.suffix.lower() in ENDINGS:
        return check_target(path, force, problem=PapersError)
    if path.suffix and not path.is_dir():
        endings = ", ".join(ENDINGS)
        raise PapersError(f"cannot write '{path}': accepted are {endings}, or a folder")
    if not path.is_dir():
        check_target(path, force, problem=PapersError)
        return path / "index.html"
    return check_target(path / "index.html", force, problem=PapersError)


def write_page(report: Report, path: str | Path, force: bool = False) -> Path:
    """Write the page of a report, whole or not at all.

    Parameters
    ----------
    report
        What `reproduce` gave.
    path
        A file that ends in .html, or a folder, which is made where it does not exist.
    force
        Replace a page that exists.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    PapersError
        It cannot be written.
    """
    target = check_page(path, force)
    content = page(report)
    if not target.parent.exists():
        target.parent.mkdir()
    return write(target, content, force, PapersError)


def page(report: Report) -> str:
    """The page as text: shares of verdicts, an index by paper and by row, and every claim."""
    from isoloss.plots import STYLE  # which loads matplotlib

    known, style = papers(), STYLE + OWN_STYLE
    of_paper = {
        name: [(k, each) for k, each in enumerate(report) if each.claim.paper == name]
        for name in dict.fromkeys(each.claim.paper for each in report)
    }
    body = [
        "<h1>The papers, reproduced</h1>",
        _opening(report),
        _shares(report, of_paper),
        _index(of_paper, known),
        _rows(report),
    ]
    for name, claims in of_paper.items():
        body.append(f'<section id="{escape(name)}">{_heading(name, known)}')
        body += [_claim(k, each) for k, each in claims]
        body.append("</section>")
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>The papers, reproduced by isoloss</title><style>{style}</style></head>",
            f"<body><main>{chr(10).join(body)}</main></body></html>\n",
        ]
    )


def _opening(report: Report) -> str:
    said = ", ".join(f"{name} {value}" for name, value in versions().items())
    seconds = sum(each.seconds for each in report)
    claims = f"{len(report)} claim{'s' * (len(report) != 1)}"
    return (
        "<p>Each claim has a published number or shape, ours, and a verdict that is computed from "
        "a tolerance which was written before; what was changed after a first run is said. "
        "<em>Holds only if</em> names the conditions under which a claim holds; <em>differs from "
        "our reading</em> stands for <em>fails</em> where the text of the paper was not at hand, "
        "or the number is of our notes or computed from the paper's constants; what is <em>not "
        "testable here</em> says why, and what <em>could not be downloaded</em> how to try again. "
        "Digits are those on which the worst number of what holds, or fails, and ours agree."
        "</p>"
        f"<p>{claims}, seed {report.seed}, {seconds:.0f} s of processor time; {escape(said)}.</p>"
    )


def _shares(report: Report, of_paper: dict[str, list[tuple[int, Reproduction]]]) -> str:
    """Counts of each verdict by paper, with the share of all."""
    head = ("verdict", *of_paper, "all", "share")
    rows = []
    for verdict in Verdict:
        share = report.shares[verdict.value]
        cells = [
            str(sum(each.verdict is verdict for _, each in claims)) for claims in of_paper.values()
        ]
        total = str(round(share * len(report)))
        rows.append((verdict.value, *cells, total, f"{100 * share:.0f}%"))
    return "<h2>Verdicts</h2>" + _table(head, rows)


def _index(of_paper: dict[str, list[tuple[int, Reproduction]]], known: dict[str, Paper]) -> str:
    parts = ['<h2>Claims by paper</h2><nav class="index">']
    for name, claims in of_paper.items():
        title = known[name].title if name in known else name
        parts.append(f'<h3><a href="#{escape(name)}">{escape(name)}</a>: {escape(title)}</h3><ul>')
        parts += [f"<li>{_link(k, each)} {_badge(each)}</li>" for k, each in claims]
        parts.append("</ul>")
    return "".join([*parts, "</nav>"])


def _rows(report: Report) -> str:
    """Rows of the list of claims, and the claims that answer each."""
    answers: dict[str, list[str]] = {}
    for k, each in enumerate(report):
        for name in each.claim.rows:
            answers.setdefault(name, []).append(f"{_link(k, each)} {_badge(each)}")
    if not answers:
        return ""
    lines = [
        f"<tr><td>{escape(name)}</td><td>{'<br>'.join(answers[name])}</td></tr>"
        for name in sorted(answers, key=_natural)
    ]
    head = "<thead><tr><th>row</th><th>answered by</th></tr></thead>"
    return f"<h2>Claims by row of the list</h2><table>{head}<tbody>{''.join(lines)}</tbody></table>"


def _natural(name: str) -> tuple[int, str, int]:
    """Rows in the order of the list: K R S X F L Q C, then by number."""
    letter, digits = name[:1], re.sub(r"\D", "", name)
    place = "KRSXFLQC".find(letter)
    return (place if place >= 0 else 99, name.rstrip("0123456789"), int(digits or 0))


def _heading(name: str, known: dict[str, Paper]) -> str:
    if name not in known:
        return f"<h2>{escape(name)}</h2>"
    paper = known[name]
    reference = re.sub(
        r"arXiv (\d{4}\.\d{5})",
        r'<a href="https://arxiv.org/abs/\1">arXiv \1</a>',
        escape(paper.reference),
    )
    text = "" if paper.full_text else " Its full text was not at hand."
    return f"<h2>{escape(name)}: {escape(paper.title)}</h2><p>{reference}.{text}</p>"


def _claim(place: int, each: Reproduction) -> str:
    claim, finding = each.claim, each.finding
    parts = [
        f'<article id="claim-{place}" data-verdict="{each.verdict.value}">',
        f"<h3>{escape(claim.name)} {_badge(each)}</h3>",
        f'<p class="place">{escape(_place(claim))}</p><p>{escape(claim.says)}</p>',
        f'<p class="verdict">{escape(each.sentence)}</p>',
    ]
    if claim.changed:
        parts.append(f"<p>Changed after a first run: {escape(claim.changed)}</p>")
    if finding is not None:
        parts.append(f"<p>Ours: {escape(finding.says)}</p>")
        parts.append(f"<p>Left open: {escape(claim.why)}</p>" if claim.why else "")
        parts.append(_table(heads(claim.numbers), [row(*figure) for figure in each.figures]))
        parts.extend(_figure(place, each))
        hashes = "".join(f"<li>{escape(name)}</li>" for name in finding.rests_on)
        parts.append(f"<p>It rests on:</p><ul>{hashes}</ul>")
        parts.append(f'<p class="place">{each.seconds:.1f} s</p>')
    parts.append(f"<pre>{escape(claim.command)}</pre></article>")
    return "".join(parts)


def _place(claim: Claim) -> str:
    rows = f"; {', '.join(claim.rows)}" if claim.rows else ""
    return f"{claim.place}{rows}"


def _figure(place: int, each: Reproduction) -> Iterator[str]:
    """The figure as a part of the page, or why there is none."""
    if each.finding is None or each.finding.figure is None:
        return
    from isoloss.plots import inline, plot  # which loads matplotlib

    try:
        drawn = plot(each)
    except ValueError as error:  # the claims that took minutes are not lost for want of a figure
        yield f'<p class="place">No figure: {escape(str(error))}</p>'
        return
    label = escape(f"{each.claim.name}: {each.finding.figure.title}", quote=True)
    yield f'<figure role="img" aria-label="{label}">{inline(drawn._repr_svg_(), place)}</figure>'


def _link(place: int, each: Reproduction) -> str:
    return f'<a href="#claim-{place}">{escape(each.claim.name)}</a>'


def _badge(each: Reproduction) -> str:
    verdict = each.verdict
    digits = each.least_digits
    agreed = f" ({digits:.1f} digits)" if digits is not None and digits >= 0.5 else ""
    kind = verdict.name.lower()
    return f'<span class="badge {kind}">{escape(verdict.value)}{agreed}</span>'


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table whose numbers are aligned on the right; columns without a word in them are left
    out.
    """
    kept = [c for c in range(len(head)) if any(each[c] for each in rows)]
    kinds = ['<t{} class="words">' if head[c] in _WORDS else "<t{}>" for c in range(len(head))]
    top = "".join(f"{kinds[c].format('h')}{escape(head[c])}</th>" for c in kept)
    body = "".join(
        "<tr>" + "".join(f"{kinds[c].format('d')}{escape(each[c])}</td>" for c in kept) + "</tr>"
        for each in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
