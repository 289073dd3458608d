"""The server of the page: on this machine alone unless told, with a token when told."""

from __future__ import annotations

import functools
import ipaddress
import json
import re
import secrets
import threading
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import isoloss as il
from isoloss.app.asked import (
    AppError,
    FormatsAsked,
    PlanAsked,
    RegressionAsked,
    asked_of,
    told,
)
from isoloss.app.dropped import MOST_BYTES, TABLES, Dropped, too_large
from isoloss.app.formats_tab import formats
from isoloss.app.plan_tab import PlanTab
from isoloss.app.regression_tab import regression

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

HERE = Path(__file__).parent
#: What the page's browser may load: its own script and styles, and nothing else.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
#: A header that other sites cannot send.
MARK = "x-isoloss"
#: What a token is made of: nothing that an address has to spell otherwise.
TOKEN = re.compile(r"[A-Za-z0-9._~-]+")
FILES = {"page.js": "text/javascript", "page.css": "text/css"}


def explore(host: str = "127.0.0.1", port: int = 8265, token: str | None = None) -> None:
    """Serve the page until it is interrupted.

    Parameters
    ----------
    host
        The address to listen on; by default this machine alone.
    port
        Its port; 0 takes a free one.
    token
        A word that the address must carry; made where others may reach the page and none is given.

    Raises
    ------
    AppError
        The address cannot be listened on, a token is no word for an address, or starlette or
        uvicorn are not installed.
    """
    uvicorn = _server()
    if token and not TOKEN.fullmatch(token):
        raise AppError(
            "a token is part of an address; accepted are letters, digits, and . _ ~ - (none makes "
            "one up)"
        )
    token = token or (None if is_local(host) else secrets.token_urlsafe(16))
    app = page_of(token, host)
    config = uvicorn.Config(app, host=host, port=port, log_level="error", ws="none")
    try:
        socket = config.bind_socket()
    except (SystemExit, OSError) as error:
        raise AppError(f"cannot listen on {host} port {port}: it is taken, or not allowed") from (
            error
        )
    threading.Thread(target=_warmed, args=[app], daemon=True).start()
    bare = f"http://{host}:{socket.getsockname()[1]}/"
    print(bare + (f"?token={token}" if token else ""), flush=True)
    uvicorn.Server(config).run([socket])


def _warmed(app: Starlette) -> None:
    """Answer what a page first asks while a person opens it."""
    for cls, answer in app.state.parts.values():
        answer(cls())


def _server() -> Any:
    try:
        import jinja2  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn
    except ImportError as error:
        raise AppError(
            f"the page needs {error.name}, which is not installed; pip install 'isoloss[app]'"
        ) from None
    return uvicorn


def is_local(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def page_of(token: str | None = None, host: str = "127.0.0.1") -> Starlette:
    """The page as an application, which any ASGI server runs.

    Parameters
    ----------
    token
        A word that each request must carry; None for none.
    host
        The address that it is served on; requests that name another host are refused, unless it
        is every address of the machine.

    Returns
    -------
    Starlette
        The application.
    """
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.routing import Route

    dropped = Dropped()
    plans = PlanTab(dropped)
    parts: dict[str, tuple[type[Any], Callable[[Any], dict[str, Any]]]] = {
        "plan": (PlanAsked, plans.plan),
        "map": (PlanAsked, plans.map),
        "frontier": (PlanAsked, plans.frontier),
        "disagreement": (PlanAsked, plans.disagreement),
        "here": (PlanAsked, plans.here),
        "regression": (RegressionAsked, regression),
        "formats": (FormatsAsked, formats),
    }
    known = ["*"] if host in ("0.0.0.0", "::") else [host, "localhost", "127.0.0.1", "[::1]"]
    guard = functools.partial(_guarded, token=token)
    routes = [
        Route("/", guard(_page, is_page=True)),
        *[Route(f"/{name}", guard(functools.partial(_file, name))) for name in FILES],
        *[Route(f"/at/{name}", guard(functools.partial(_part, *it))) for name, it in parts.items()],
        Route("/drop", guard(functools.partial(_drop, dropped)), methods=["POST"]),
    ]
    only = Middleware(TrustedHostMiddleware, allowed_hosts=known)
    app = Starlette(routes=routes, middleware=[only])
    app.state.parts = parts
    return app


def _guarded(
    answer: Callable[[Request], Awaitable[Response]], *, token: str | None, is_page: bool = False
) -> Callable[[Request], Awaitable[Response]]:
    """An answer with its headers, to who has the token; what is wrong is one sentence."""
    from starlette.responses import JSONResponse

    async def guarded(request: Request) -> Response:
        given = request.headers.get("x-token") or request.query_params.get("token") or ""
        if token is not None and not secrets.compare_digest(given.encode(), token.encode()):
            said = "this page needs its token; open the address that 'isoloss explore' printed"
            return JSONResponse({"error": said}, 403, HEADERS)
        try:
            found = await answer(request)
        except (ValueError, ArithmeticError, OSError, MemoryError, RecursionError) as error:
            return JSONResponse({"error": _sentence(error)}, 400, HEADERS)
        except Exception:
            traceback.print_exc()  # a defect of ours: the page says so, and the server lives
            said = "a defect of isoloss, please tell its authors; the server's console says more"
            return JSONResponse({"error": said}, 500, HEADERS)
        found.headers.update(HEADERS)
        return found

    return guarded


def _sentence(error: Exception) -> str:
    """What was wrong, on one line."""
    said = " ".join(il.files.printable(str(error)).split())
    said = said or "a number is out of the range of computing"
    return said if len(said) <= 600 else f"{said[:597]}..."


async def _page(request: Request) -> Response:
    from jinja2 import Environment, FileSystemLoader
    from starlette.responses import HTMLResponse

    pages = Environment(loader=FileSystemLoader(HERE), autoescape=True)
    token = request.query_params.get("token") or ""
    text = pages.get_template("page.html.jinja").render(
        laws=law_names(), machines=list(il.plans.MACHINES), plan=told(PlanAsked()),
        regression=told(RegressionAsked()), formats=told(FormatsAsked()), token=token,
        version=il.__version__, endings=",".join(TABLES), most=MOST_BYTES,
    )  # fmt: skip
    return HTMLResponse(text)


@functools.cache
def law_names() -> list[str]:
    """The published laws of losses that have their constants."""
    found = []
    for name, law in il.laws.LAWS.items():
        if law.metric == "nats" and not il.laws.is_gap_law(law) and law.box is not None:
            try:
                law.loss(il.laws.as_inputs(1e9, 2e10, "fp"))
            except ValueError:
                continue
            found.append(name)
    return found


async def _file(name: str, request: Request) -> Response:
    from starlette.responses import Response

    return Response((HERE / name).read_bytes(), media_type=FILES[name])


async def _part(
    cls: type[Any], answer: Callable[[Any], dict[str, Any]], request: Request
) -> Response:
    """The numbers of one part of the page, computed beside other requests."""
    from starlette.concurrency import run_in_threadpool

    query = {k: v for k, v in request.query_params.items() if k not in ("token", "tab")}
    names = Counter(name for name, _ in request.query_params.multi_items())
    if twice := [name for name, count in names.items() if count > 1]:
        raise AppError(f"the link has {twice[0][:40]!r} more than once; give it once")
    found = await run_in_threadpool(answer, asked_of(cls, query))
    return _json(found)


async def _drop(dropped: Dropped, request: Request) -> Response:
    """A file of the person's own: refused by its size before it is read whole."""
    from starlette.concurrency import run_in_threadpool

    if request.headers.get(MARK) != "1":
        raise AppError("a file is dropped in on the page itself")
    size = request.headers.get("content-length", "")
    if size.isdigit() and int(size) > MOST_BYTES:
        raise AppError(too_large(int(size)))
    content = bytearray()
    async for some in request.stream():
        content += some
        if len(content) > MOST_BYTES:
            raise AppError(too_large(len(content)))
    name, law = (request.query_params.get(k, "") for k in ("name", "law"))
    key, own = await run_in_threadpool(dropped.add, name, bytes(content), law)
    return _json({"file": key, "name": own.name, "told": own.told})


def _json(content: dict[str, Any]) -> Response:
    from starlette.responses import Response

    text = json.dumps(il.files.json_values(content), allow_nan=False, ensure_ascii=False)
    return Response(text, media_type="application/json")
