"""``isoloss explore``: the page, on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from isoloss.cli.manual import Example


def explore(
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="The address to listen on; for others than this machine's own a token is made.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Its port; 0 takes a free one.")
    ] = 8265,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            metavar="WORD",
            help="A word that the address must carry.",
            show_default="none on this machine",
        ),
    ] = None,
) -> None:
    """Serve a page on this machine: plans, exact risks and formats that follow what one moves.

    Every number is of the functions behind these commands, and the page shows the line that gives
    it again. A link holds what was asked. The page asks nothing of the network. Ctrl-C ends it.
    """
    from isoloss.app import explore as serve  # the web library is loaded here alone

    serve(host, port, token)


#: Shown below the help and on the page of commands, and run by the tests.
EXAMPLES = {
    "explore": (
        Example("isoloss explore", "then open the address it prints", needs="a browser"),
        Example(
            "isoloss explore --host 0.0.0.0 --port 8000",
            "for others in the network, with a token",
            needs="a browser",
        ),
    ),
}
