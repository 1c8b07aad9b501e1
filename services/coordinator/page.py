"""The storyboard page: its built files, and its own addresses, which are no files."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

YEAR_S = 365 * 24 * 3600

#: What the page may load and do. Styles may be inline, as toasts and virtual lists need them; scripts may not.
POLICY = (
    "default-src 'self'; connect-src 'self' ws: wss:; "
    "img-src 'self' data: blob:{files}; media-src 'self' blob:{files}; "
    "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class Page(StaticFiles):
    """An address such as `/projects/4f…` is the page's own: it gets the page, which then knows what to show."""

    def __init__(self, folder: Path, files_origin: str = "") -> None:
        """`files_origin` is where images and videos are redirected to, such as `https://s3.example.com`."""
        super().__init__(directory=folder, html=True)
        self._policy = POLICY.format(files=f" {files_origin}" if files_origin else "")

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or not _is_address(path):
                raise
            response = await super().get_response("index.html", scope)
        # Built files carry a hash of their content in their names; the page names the ones it needs.
        built = path.startswith("assets/")
        response.headers["Cache-Control"] = f"public, max-age={YEAR_S}, immutable" if built else "no-cache"
        response.headers["Content-Security-Policy"] = self._policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        return response


def _is_address(path: str) -> bool:
    """Neither a file's name nor a misspelt route, which must stay an error."""
    first, _, _ = path.partition("/")
    return first not in ("api", "assets") and "." not in path.rpartition("/")[2]
