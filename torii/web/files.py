"""The start page: a few files, read once and served from memory."""

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

# Everything comes from here, and nothing runs that is not a file of ours.
_SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_TYPES = {".js": "text/javascript", ".svg": "image/svg+xml", ".css": "text/css"}


@dataclass(frozen=True)
class StaticFile:
    """One file as it goes over the wire."""

    body: bytes
    content_type: str
    etag: str
    cache_control: str


class StaticFiles:
    """Answers GET and HEAD requests from a folder.

    Files below `assets/` carry a hash in their name, so browsers keep them for
    good; all others are asked for again each time.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "index.html").is_file():
            raise SystemExit(f"torii: the start page is missing: {folder} has no index.html")
        self._files = _read(folder)

    def answer(self, request: Request) -> Response:
        """Return the response to a request that is no websocket."""
        if request.method not in ("GET", "HEAD"):
            response = text_response(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD work here")
            response.headers["Allow"] = "GET, HEAD"
            return response
        path = request.path.partition("?")[0]
        file = self._files.get("/index.html" if path == "/" else path)
        if file is None:
            return text_response(HTTPStatus.NOT_FOUND, "there is nothing here")
        return _file_response(file, request)


def text_response(status: HTTPStatus, text: str) -> Response:
    """Return a plain answer in words."""
    return _response(status, f"{text}\n".encode(), {"Content-Type": "text/plain; charset=utf-8"})


def _file_response(file: StaticFile, request: Request) -> Response:
    headers = {"ETag": file.etag, "Cache-Control": file.cache_control, **_SECURITY}
    known = (tag.strip() for tag in request.headers.get("If-None-Match", "").split(","))
    if file.etag in known:
        return _response(HTTPStatus.NOT_MODIFIED, b"", headers)
    response = _response(HTTPStatus.OK, file.body, {"Content-Type": file.content_type, **headers})
    if request.method == "HEAD":
        response.body = b""
    return response


def _response(status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> Response:
    fields = Headers(headers)
    if status is not HTTPStatus.NOT_MODIFIED:
        fields["Content-Length"] = str(len(body))
    fields["Connection"] = "close"
    return Response(status.value, status.phrase, fields, body)


def _read(folder: Path) -> Mapping[str, StaticFile]:
    files: dict[str, StaticFile] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            files[f"/{name}"] = _load(path, is_hashed=name.startswith("assets/"))
    return files


def _load(path: Path, *, is_hashed: bool) -> StaticFile:
    body = path.read_bytes()
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    kind = kind or "application/octet-stream"
    is_text = kind.startswith("text/") or kind == "image/svg+xml"
    return StaticFile(
        body=body,
        content_type=f"{kind}; charset=utf-8" if is_text else kind,
        etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        cache_control="public, max-age=31536000, immutable" if is_hashed else "no-cache",
    )
