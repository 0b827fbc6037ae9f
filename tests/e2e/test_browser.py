"""The start page in a real browser, through the real Envoy."""

from collections.abc import Iterator

import pytest
from hanami.kyouko.v1 import network_service_pb2
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import launched_browser
from tests.e2e.conftest import PASSWORD, Login, RunningMesh

pytestmark = pytest.mark.browser
SERVICES = ("azuki", "kyouko", "misaki", "shiori", "torii")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start a headless Chromium; the tests fail when there is none."""
    with launched_browser() as running:
        yield running


@pytest.fixture
def complaints() -> list[str]:
    """Collect what the browser complains about: scripts, policies, other hosts."""
    return []


@pytest.fixture
def page(browser: Browser, mesh: RunningMesh, complaints: list[str]) -> Iterator[Page]:
    """Open the start page in a window of its own."""
    context = browser.new_context(base_url=mesh.url)
    context.set_default_timeout(20_000)
    opened = context.new_page()
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    opened.on(
        "request",
        lambda request: (
            None if request.url.startswith(mesh.url) else complaints.append(request.url)
        ),
    )
    opened.goto("/")
    yield opened
    context.close()


def log_in(page: Page, user_id: str, password: str = PASSWORD) -> None:
    """Fill in the form, with the keyboard's way to send it."""
    page.get_by_label("User").fill(user_id)
    page.get_by_label("Password").fill(password)
    page.get_by_label("Password").press("Enter")


def test_a_wrong_password_is_explained(page: Page, member: Login) -> None:
    """The form stays, and an alert says what is wrong."""
    log_in(page, member.user_id, "not the password")

    expect(page.get_by_role("alert")).to_contain_text("do not fit together")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_the_page_shows_what_runs(
    page: Page,
    member: Login,
    network: network_service_pb2.Network,
    complaints: list[str],
) -> None:
    """Over grpc-web come the services, the member's networks and the machine's load."""
    log_in(page, member.user_id)

    services = page.get_by_role("table", name="Services", exact=True)
    for service in SERVICES:
        row = services.get_by_role("row").filter(has_text=service)
        expect(row).to_contain_text("serving")
    short_name = network.name.removeprefix("projects/").replace("/networks/", " / ")
    expect(page.get_by_role("table", name="Networks")).to_contain_text(short_name)
    expect(page.get_by_role("region", name="Tasks")).to_contain_text("No tasks yet.")
    expect(page.get_by_role("region", name="Machine")).to_contain_text("cpu load, core-0")
    assert complaints == []


def test_a_browser_predicts_over_a_websocket(
    page: Page,
    member: Login,
    network: network_service_pb2.Network,
    complaints: list[str],
) -> None:
    """The page's own websocket reaches the network and comes back."""
    log_in(page, member.user_id)
    page.get_by_label("Network", exact=True).select_option(network.name)

    page.get_by_role("button", name="Predict one row").click()

    expect(page.get_by_role("region", name="Try the websocket")).to_contain_text("Answered in")
    assert complaints == []


def test_a_session_outlives_a_reload_and_ends_with_the_log_out(page: Page, member: Login) -> None:
    """The tab remembers who is logged in, and nothing after logging out."""
    log_in(page, member.user_id)
    expect(page.get_by_role("region", name="Mesh")).to_be_visible()

    page.reload()
    expect(page.get_by_role("region", name="Mesh")).to_be_visible()
    page.get_by_role("button", name="Log out").click()

    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [
        0,
        0,
        "",
    ]


def test_the_page_follows_the_colour_scheme(page: Page) -> None:
    """Dark where the reader wants dark, light where light."""
    shade = "getComputedStyle(document.body).backgroundColor"

    page.emulate_media(color_scheme="light")
    light = page.evaluate(shade)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(shade)

    assert light != dark
