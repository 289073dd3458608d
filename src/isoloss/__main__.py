"""``python -m isoloss``, and what the shell calls: an interrupt is heard from the first import to
the last line, once, and a closed stdout is no success.
"""

import os
import signal
import sys
from types import FrameType

#: Interrupts after which a command that does not come to its end is left as it is.
PATIENCE = 5


class Keyboard:
    """Hears the first interrupt; the next ones would break off what is being put in order."""

    def __init__(self) -> None:
        self.heard = 0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt once; end the process at the fifth interrupt."""
        self.heard += 1
        if self.heard == 1:
            raise KeyboardInterrupt
        if self.heard >= PATIENCE:
            os._exit(130)  # as files.INTERRUPTED; nothing is imported here

    def lost(self, event: "sys.UnraisableHookArgs") -> None:
        """Let an interrupt be heard that came where Python raises nothing, as in a callback."""
        if not issubclass(event.exc_type, KeyboardInterrupt):
            sys.__unraisablehook__(event)
            return
        import threading

        self.heard = 0
        threading.Timer(0.01, signal.raise_signal, (signal.SIGINT,)).start()


def main() -> None:
    """Run the command that the shell's words name; the process ends with its exit code."""
    keyboard = Keyboard()
    try:
        # One that is not heard, as in the background of a script, stays so.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, keyboard)
            sys.unraisablehook = keyboard.lost
        if sys.stdout is None:
            sys.exit("error: stdout is closed, so no result can be told; send it to a file")
        from isoloss.cli import main as run

        run()
    except KeyboardInterrupt as error:
        from isoloss.files import INTERRUPTED, stopped

        print(f"\n{stopped(error)}", file=sys.stderr)
        sys.exit(INTERRUPTED)
    finally:
        if keyboard.heard:  # nor is one heard while Python takes itself down
            signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    main()
