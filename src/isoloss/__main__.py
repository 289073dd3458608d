"""``python -m isoloss``, and what the shell calls: an interrupt is heard from the first import to
the last line, and a closed stdout is no success.
"""

import sys


def main() -> None:
    """Run the command that the shell's words name; the process ends with its exit code."""
    try:
        if sys.stdout is None:
            sys.exit("error: stdout is closed, so no result can be told; send it to a file")
        from isoloss.cli import main as run

        run()
    except KeyboardInterrupt as error:
        from isoloss.files import INTERRUPTED, stopped

        print(f"\n{stopped(error)}", file=sys.stderr)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
