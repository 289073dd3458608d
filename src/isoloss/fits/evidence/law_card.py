"""The report of a law: its form, source and runs, its constants with units and meaning, notes."""

from __future__ import annotations

from isoloss.fits.evidence.law_equation import law_form
from isoloss.fits.sections import Section
from isoloss.laws import EVIDENCE, Box, Constant, Law, is_gap_law
from isoloss.runs import compact, metric_of


def law_sections(law: Law) -> list[Section]:
    """The report of a law as titled sections, for whoever prints it."""
    what = "gap" if is_gap_law(law) else "loss"
    lines = [
        f"{what} = {law_form(law)}, {metric_of(law.metric).per_run}",
        f"source: {law.source or 'none'} ({EVIDENCE[law.evidence]})",
    ]
    if law.box is not None:
        lines.append(f"its runs cover {_covered(law.box)}")
    rows = tuple(_constant(law, k) for k in law.constants)
    out = [
        Section(f"{law.name}: {law.title}", tuple(lines)),
        Section("Constants", (), ("", "value", "", "unit", "meaning"), rows),
    ]
    return out + ([Section("Notes", law.notes)] if law.notes else [])


def _constant(law: Law, k: Constant) -> tuple[str, ...]:
    value = "to be fitted" if k.value is None else f"{k.value:.6g}"
    held = f"= {law.ties[k.name]}" if k.name in law.ties else "fixed" * (k.name in law.fixed)
    return k.name, value, held, k.unit, k.meaning


def _covered(box: Box) -> str:
    params, tokens = (" to ".join(map(compact, ends)) for ends in (box.params, box.tokens))
    ratio = " to ".join(f"{end:.3g}" for end in box.tokens_per_param)
    return f"params {params}, tokens {tokens}, tokens per param {ratio}" + (
        f"; {box.formats}" if box.formats else ""
    )
