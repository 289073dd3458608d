"""What ``import isoloss`` and ``isoloss --help`` cost, beside a bare interpreter and the libraries
that are not loaded.
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks.timing import seconds, table

CALLS = {
    "bare interpreter": "pass",
    "import isoloss": "import isoloss",
    "isoloss --help": "import sys; sys.argv = ['isoloss', '--help']; "
    "from isoloss.cli import main; main()",
    "import numpy": "import numpy",
    "import scipy.optimize": "import scipy.optimize",
    "import polars": "import polars",
    "import isoloss.fits": "import isoloss.fits",
}


def main() -> None:
    rows = []
    for name, code in CALLS.items():
        took, _ = seconds(
            lambda c=code: subprocess.run(
                [sys.executable, "-c", c], capture_output=True, check=False
            ),
            5,
        )
        rows.append([name, f"{took:.3f}"])
    print("### Import times, seconds, least of 5\n")
    print(table(["what", "seconds"], rows))


if __name__ == "__main__":
    main()
