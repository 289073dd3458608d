"""The studies of quantised SGD in regression: what each shows, and the figures of
docs/regression.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import isoloss as il

FIGURES = Path(__file__).parents[1] / "docs" / "images"


def main() -> None:
    print("### Studies of quantised SGD in regression\n")
    for name in il.linear.STUDIES:
        if name.startswith("network-"):  # benchmarks/networks.py
            continue
        print(f"study {name} ...", file=sys.stderr, flush=True)
        found = il.linear.study(name)
        il.plot(found, FIGURES / f"study_{name}.png", force=True)
        print(f"**{name}**: {found.question}\n")
        print("\n".join(f"- {line}" for line in found.answer), "\n")


if __name__ == "__main__":
    main()
