"""The page: a plan, exact risks and number formats that follow what one moves.

``explore`` serves it on this machine. Each tab is a file: what is asked (`asked`), the numbers of
the same functions as the command line (`plan_tab`, `regression_tab`, `formats_tab`), and the lines
that give them again (`lines`). `dropped` reads files of one's own, `serving` is the server. What is
asked is in the link; the server keeps nothing of a person but the files they dropped in.
"""

from isoloss.app.asked import AppError
from isoloss.app.serving import explore, page_of

__all__ = ["AppError", "explore", "page_of"]
