"""`holdfast reports`: the pages of VAR/reports on this machine, so that the links in Dagster's UI open them.

A browser opens no file:// link from a page that came over HTTP, hence a server: of this folder's reports and of nothing else, on
127.0.0.1, with a policy that lets a page run and load nothing.
"""

from __future__ import annotations

import argparse
import html
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from commands.processes import CHECKOUT, Started, free_port, wait_for_file
from holdfast.settings import Settings, load_settings
from resources.reports.client import PLAN_PAGE, QUALITY_PAGE, ReportFolder

PORT = 3080
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parsers.add_parser("reports", help="serve the reports of VAR/reports to browsers of this machine")
    parser.add_argument("--config", type=Path, help="another holdfast.toml")
    parser.add_argument("--port", type=int, default=PORT, help=f"{PORT}; 0: any that is free")
    parser.add_argument(
        "--port-file",
        type=Path,
        metavar="FILE",
        help="write the port here once it answers; where --port is taken, that of another one",
    )
    parser.set_defaults(call=serve)


def build(root: Path) -> Starlette:
    """The pages of `root`: a list at /, and each under its name."""
    folder = ReportFolder(root)

    def listing(request: Request) -> Response:
        return HTMLResponse(_listing(folder.pages(), folder.plan_pages()), headers=_HEADERS)

    def page(request: Request) -> Response:
        name = request.path_params["name"]
        path = root / name
        # The names that are served are those that are written: no other file is reached, whatever the path holds.
        known = QUALITY_PAGE.fullmatch(name) or PLAN_PAGE.fullmatch(name)
        if not known or not path.is_file() or not path.resolve().is_relative_to(root.resolve()):
            return PlainTextResponse("no such report\n", 404, headers=_HEADERS)
        return HTMLResponse(path.read_bytes(), headers=_HEADERS)

    return Starlette(
        routes=[Route("/", listing), Route("/{name:path}", page)],
        # A foreign name that is made to point here (DNS rebinding) gets nothing.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    )


def _listing(pages: Mapping[str, list[str]], plans: Mapping[str, list[str]]) -> str:
    parts = []
    for source, days in pages.items():
        links = "".join(f'<li><a href="/quality/{source}/{day}.html">{day}</a></li>' for day in days)
        parts.append(
            f'<h2>{html.escape(source)}: quality</h2><p><a href="/quality/{source}/latest.html">Latest</a></p><ul>{links}</ul>'
        )
    for source, names in plans.items():
        links = "".join(f'<li><a href="/plans/{source}/{name}.html">{name}</a></li>' for name in names)
        parts.append(f"<h2>{html.escape(source)}: plans</h2><ul>{links}</ul>")
    body = "".join(parts) or "<p>No reports yet: they come after a load.</p>"
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Reports and plans</title>'
        "<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
        f"</style></head><body><main><h1>Reports and plans</h1>{body}</main></body></html>"
    )


def serve(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", arguments.port))
    except OSError as error:
        if (
            arguments.port_file
        ):  # whoever started it reads the port there: another took the one that was free a moment ago
            listener.bind(("127.0.0.1", 0))
            return _serve_on(listener, settings.var / "reports", arguments.port_file)
        print(f"port {arguments.port}: {error.strerror}; name another with --port", file=sys.stderr)
        return 2
    return _serve_on(listener, settings.var / "reports", arguments.port_file)


def _serve_on(listener: socket.socket, folder: Path, port_file: Path | None) -> int:
    import uvicorn

    listener.listen(32)
    port = listener.getsockname()[1]
    if port_file:
        port_file.write_text(f"{port}\n")
    print(f"reports of {folder} at http://127.0.0.1:{port}", flush=True)
    config = uvicorn.Config(build(folder), ws="none", log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])
    return 0


def start_reports(
    settings: Settings, started: Started, environ: Mapping[str, str], say: Callable[[str], None]
) -> dict[str, str]:
    """The variable that leads to the reports. The port stays the same as long as it is free: links in the UI last."""
    port_file = settings.var / "run" / "reports.port"
    if not started.find("reports"):
        last = port_file.read_text().strip() if port_file.is_file() else ""
        port = free_port(int(last) if last.isdecimal() else PORT)
        port_file.parent.mkdir(parents=True, exist_ok=True)
        port_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "commands.main", "reports", "--port", str(port), "--port-file", str(port_file)]
        wait_for_file(port_file, started.start("reports", command, environ, cwd=CHECKOUT), 60)
        say(f"quality reports are at http://127.0.0.1:{port_file.read_text().strip()}")
    return {"HOLDFAST_REPORTS_URL": f"http://127.0.0.1:{port_file.read_text().strip()}"}
