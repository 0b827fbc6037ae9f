"""How the start page is served."""

from pathlib import Path

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from torii.settings import ToriiSettings
from torii.web.files import StaticFiles


@pytest.fixture
def files(tmp_path: Path) -> StaticFiles:
    """Return a small site."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<h1>Hanami</h1>", encoding="utf-8")
    (tmp_path / "assets" / "page-12345.js").write_text("let a", encoding="utf-8")
    return StaticFiles(tmp_path)


def ask(files: StaticFiles, path: str, method: str = "GET", **headers: str) -> Response:
    """Ask for a path."""
    fields = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return files.answer(Request(path, fields, method, "HTTP/1.1"))


@pytest.mark.parametrize("path", ["/", "/index.html", "/?utm=1"])
def test_the_page_is_at_the_root(files: StaticFiles, path: str) -> None:
    """The start page is HTML, and browsers ask for it anew each time."""
    response = ask(files, path)

    assert (200, b"<h1>Hanami</h1>") == (response.status_code, response.body)
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"


def test_assets_are_kept_for_good(files: StaticFiles) -> None:
    """A file with a hash in its name never changes."""
    response = ask(files, "/assets/page-12345.js")

    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "immutable" in response.headers["Cache-Control"]


def test_the_page_may_load_its_own_files_only(files: StaticFiles) -> None:
    """The policy allows no inline script, no other host, and no frame around the page."""
    policy = ask(files, "/").headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_an_unchanged_file_is_not_sent_again(files: StaticFiles) -> None:
    """The tag of the first answer makes the second one empty."""
    etag = ask(files, "/").headers["ETag"]

    response = ask(files, "/", If_None_Match=f'"other", {etag}')

    assert (304, b"") == (response.status_code, response.body)


def test_head_tells_the_size_without_the_body(files: StaticFiles) -> None:
    """HEAD answers as GET does, less the body."""
    response = ask(files, "/", "HEAD")

    assert (200, b"") == (response.status_code, response.body)
    assert response.headers["Content-Length"] == "15"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(files: StaticFiles, method: str) -> None:
    """Files can be read, and the answer says so."""
    response = ask(files, "/", method)

    assert (405, "GET, HEAD") == (response.status_code, response.headers["Allow"])


@pytest.mark.parametrize(
    "path", ["/none", "/../pyproject.toml", "/assets", "/assets/", "//index.html", "/%2e%2e/x"]
)
def test_nothing_else_is_there(files: StaticFiles, path: str) -> None:
    """Only files of the folder have a path, by their exact name."""
    assert ask(files, path).status_code == 404


def test_a_folder_without_a_page_is_refused(tmp_path: Path) -> None:
    """A torii without its page says so at the start, not to a visitor."""
    with pytest.raises(SystemExit, match="start page is missing"):
        StaticFiles(tmp_path)


def test_the_built_page_loads_only_what_is_built() -> None:
    """Every file that the page in torii/static names is there, and none is elsewhere."""
    files = StaticFiles(ToriiSettings().static_directory)
    page = ask(files, "/").body.decode()

    named = [part.split('"')[0] for part in page.replace('href="', 'src="').split('src="')[1:]]

    assert len(named) >= 3
    assert {200} == {ask(files, path).status_code for path in named}
    assert "<style" not in page
    assert "://" not in page
