"""The main job from nothing (make demo): a law fitted to the bundled runs, then to quest2025 where
it can be read.
"""

from __future__ import annotations

import sys
from pathlib import Path

import isoloss as il

OUT = Path("out")


def show(name: str, law: str, holdout: str) -> None:
    """Reads a table by name, fits a law, prints the report and draws it."""
    runs = il.read(name)
    print(f"\n$ isoloss fit {name} --law {law} --holdout {holdout} --draws 200\n")
    fit = il.fit(law, runs, holdout=holdout, draws=200)
    print(fit)
    print("\nwhat it predicts, with a 90% interval of a run:")
    print(fit.predict("150M", "12B", "w4 a8 kv8" if law == "kumar2024" else "bf16"))
    picture = OUT / f"{name}.svg"
    il.plot(fit, picture, force=True)
    print(f"\npicture: {picture}")


def main() -> None:
    OUT.mkdir(exist_ok=True)
    show("simulated2024", "kumar2024", "largest")
    try:
        il.read("quest2025")
    except ValueError as error:
        print(f"\nquest2025 is left out: {error}", file=sys.stderr)
        return
    show("quest2025", "quest2025", "largest")


if __name__ == "__main__":
    main()
