"""Page tokens."""

import base64
import json
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mesh import pages
from mesh.errors import InvalidArgument

KEYS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF).filter(str.isprintable))
ANY_TOKEN = st.text(string.ascii_letters + string.digits + "-_=[]{}\x00é", min_size=1)


@given(
    keys=st.lists(KEYS.filter(bool), unique=True).map(sorted),
    size=st.integers(1, 10),
    listing=st.text(),
)
def test_following_tokens_gives_every_item_once(keys: list[str], size: int, listing: str) -> None:
    """Pages hold all items in order, none is longer than asked for, and the last ends it."""
    seen: list[str] = []
    token = ""

    while True:
        request = pages.page_request(size, token, listing=listing)
        found = [key for key in keys if key > request.after][: request.limit + 1]
        page = pages.page_of(request, found, lambda key: key)
        assert len(page.items) <= size
        seen += page.items
        token = page.next_page_token
        if not token:
            break

    assert keys == seen


@given(key=KEYS.filter(bool), listing=st.text(), other=st.text())
def test_token_goes_with_its_listing(key: str, listing: str, other: str) -> None:
    """A token of another listing is refused; that of the same one is taken."""
    request = pages.page_request(1, "", listing=listing)
    token = pages.page_of(request, [key, key + "z"], lambda item: item).next_page_token

    assert key == pages.page_request(1, token, listing=listing).after
    if other != listing:
        with pytest.raises(InvalidArgument) as caught:
            pages.page_request(1, token, listing=other)
        assert "PAGE_TOKEN_INVALID" == caught.value.reason


@given(token=ANY_TOKEN)
def test_any_other_token_is_refused(token: str) -> None:
    """No text that we did not make is a token, or leads to another error."""
    with pytest.raises(InvalidArgument) as caught:
        pages.page_request(1, token, listing="users")

    assert "PAGE_TOKEN_INVALID" == caught.value.reason


@given(
    key=KEYS.filter(bool),
    listing=st.text(),
    place=st.integers(0),
    characters=st.text(string.ascii_letters + string.digits + "-_=+/. é", max_size=2),
    cut=st.integers(0, 2),
)
def test_no_change_of_a_token_is_taken(
    key: str, listing: str, place: int, characters: str, cut: int
) -> None:
    """A token with characters put in, left out or replaced anywhere is refused, never read."""
    request = pages.page_request(1, "", listing=listing)
    token = pages.page_of(request, [key, key + "z"], lambda item: item).next_page_token
    place %= len(token) + 1
    changed = token[:place] + characters + token[place + cut :]
    assume(changed not in ("", token))

    with pytest.raises(InvalidArgument) as caught:
        pages.page_request(1, changed, listing=listing)
    assert "PAGE_TOKEN_INVALID" == caught.value.reason


@pytest.mark.parametrize("key", ["a\x00b", "\ud800"])
def test_forged_keys_do_not_reach_a_database(key: str) -> None:
    """A key that no database could compare with is refused, even as we would have written it."""
    request = pages.page_request(1, "", listing="users")
    forged = pages.page_of(request, [key, "b"], lambda item: item).next_page_token

    with pytest.raises(InvalidArgument):
        pages.page_request(1, forged, listing="users")


@pytest.mark.parametrize("content", [7, None, ["a"], {"a": 1}, ["a", "b", "c"], [7, "b"]])
def test_other_content_is_refused(content: object) -> None:
    """JSON of another form is damage."""
    forged = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    with pytest.raises(InvalidArgument):
        pages.page_request(1, forged, listing="users")


@pytest.mark.parametrize("depth", [100, 1000, 100_000])
def test_deeply_nested_tokens_are_refused(depth: int) -> None:
    """Brackets without end are damage, not a mistake of ours."""
    token = base64.urlsafe_b64encode(b"[" * depth).decode()

    with pytest.raises(InvalidArgument):
        pages.page_request(1, token, listing="users")


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (1, 1), (1000, 1000), (1001, 1000)])
def test_page_size_has_default_and_cap(asked: int, given: int) -> None:
    """Zero means 50, and nobody gets more than 1000."""
    assert given == pages.page_request(asked, "", listing="users").limit


def test_negative_page_size_is_refused() -> None:
    """Less than nothing is FIELD_INVALID."""
    with pytest.raises(InvalidArgument) as caught:
        pages.page_request(-1, "", listing="users")

    assert "FIELD_INVALID" == caught.value.reason
