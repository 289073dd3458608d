"""The gallery of the site: every kind of figure and a report of each kind of result, each with the
lines that make it. The site's build makes them; ``python docs/gallery.py FOLDER`` puts them there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: The page of the gallery, and where its pictures and reports lie beside it.
PAGE, FOLDER = "gallery.md", "gallery"
#: What all examples begin with.
FIRST = """\
import isoloss as il

runs = il.read("simulated2024")
fit = il.fit("kumar2024", runs, draws=60, starts=6)
"""
#: The line that makes a value of each type, or that of one kind of its figures ("Plan tokens"). A
#: new type with a figure adds one.
EXAMPLES = {
    "Runs": "value = runs",
    "Fit": "value = fit",
    "Profile": 'value = il.fits.profile(fit, "alpha")',
    "Comparison": 'value = il.compare(["kumar2024", "frantar2025"], runs, draws=20, starts=4)',
    "GapTable": 'value = il.fits.gap_table(il.read("isoloss2026").where(lr_peak=0.01))',
    "Plan": """\
value = il.plan(
    "kumar2024", "1e18 flop", "linear-bits", precision=["w6 a6 kv6", "w7 a7 kv7", "bf16"]
)""",
    "Plan laws": """\
value = il.plan(
    ["kumar2024", "epoch2024"], "1e20 flop", "h100", precision=["bf16", "w6 a6"], extrapolate=True
)""",
    "Plan tokens": """\
value = il.plan(
    "kumar2024", "1e18 flop", "linear-bits", precision=["bf16 -> w4", "bf16"], extrapolate=True
)""",
    "Payoffs": """\
recipes = il.read("recipes2026").where(
    precision=["fp", "w4 a4", "w:e2m1/32 a:e2m1/32 g:e2m1/32"], params=("10k", None), schedule="wsd"
)
value = il.pays(recipes, {"w4 a4": 1.6, "w:e2m1/32 a:e2m1/32 g:e2m1/32": 2.0})""",
    "Score": """\
smaller = il.fit("kumar2024", runs.where(params=(None, "120M")), draws=60, starts=6)
value = il.score(il.forecast(smaller, "220M", "13.1072B", ["bf16", "w4", "a6", "w6 a6"]), runs)""",
    "Arena": """\
value = il.scores.arena(
    {"simulated2024": runs}, ["kumar2024", "frantar2025"], ["largest size"], targets=["loss"]
)""",
    "Law": 'value = il.laws.preset("kumar2024")',
    "Study": 'value = il.linear.study("dims")',
    "Format": 'value = "e2m1 int4 nvfp4"',
    "Reproduction": 'value = il.reproduce("kumar2024", "figure 6 left")',
}
#: What the page says before the figures.
HEAD = """\
# Gallery

Every kind of figure, and a report of each kind of result, with the lines that make them: the build
of this site made all below. A figure is saved by `figure.save("name.svg")` (.svg .png .pdf),
a report by `il.report(value, path="name.html")`; commands do both by `--plot` and `-o`.

```python
"""


def made(kinds: dict[str, dict[str, str]]) -> Iterator[tuple[str, str]]:
    """Names of files with their texts: the pictures, the reports, and the page that shows them.

    Parameters
    ----------
    kinds
        What each kind of figure shows, by the type of the value: `isoloss.plots.kinds()`.
    """
    import isoloss as il

    names: dict[str, Any] = {}
    exec(FIRST, names)
    page = [f"{HEAD}{FIRST}```"]
    for example, lines in EXAMPLES.items():
        exec(lines, names)
        value, (of, *kind) = names["value"], example.split()
        page.append(f"## {example}\n\n```python\n{lines}\n```")
        for each in kind or [k for k in kinds.get(of, ()) if f"{of} {k}" not in EXAMPLES]:
            name = f"{of}_{each}.svg".lower()
            yield name, il.plot(value, kind=each)._repr_svg_()
            page.append(f"`il.plot(value, kind={each!r})`: {kinds[of][each]}.")
            page.append(f"![{kinds[of][each]}]({FOLDER}/{name})")
        if not kind and not isinstance(value, str | il.fits.Profile):
            name = f"{of}.html".lower()
            yield name, il.report(value).html
            page.append(f"[Its report]({FOLDER}/{name}), made by `il.report(value)`.")
    yield PAGE, "\n\n".join(page) + "\n"


def on_files(files: Any, *, config: Any) -> Any:
    """Add the gallery to the files of the site."""
    from mkdocs.structure.files import File

    import isoloss as il

    for name, text in made(il.plots.kinds()):
        where = PAGE if name == PAGE else f"{FOLDER}/{name}"
        files.append(File.generated(config, where, content=text))
    return files


if __name__ == "__main__":
    import isoloss as il

    folder = Path(sys.argv[1])
    for name, text in made(il.plots.kinds()):
        path = folder / (name if name == PAGE else f"{FOLDER}/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
