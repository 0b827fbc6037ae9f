"""Which key signs when, and how long keys are published."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from misaki.domain.key_times import KeyTimes, RotationRules, current_of
from tests import factories

RULES = RotationRules(
    ahead=timedelta(minutes=15), kept=timedelta(hours=24), longest=timedelta(days=90)
)
NOON = factories.NOON


def _key(key_id: str, activate: datetime) -> KeyTimes:
    return KeyTimes(key_id, activate - RULES.ahead, activate)


OLD, NEW = _key("old", NOON), _key("new", NOON + timedelta(days=90))


def test_next_key_is_published_before_it_signs() -> None:
    """Until its time the old one signs, and both are published."""
    before = NEW.activate_time - timedelta(seconds=1)

    assert OLD == current_of([OLD, NEW], before)
    assert [NEW, OLD] == list(RULES.published([OLD, NEW], before))
    assert NEW == current_of([OLD, NEW], NEW.activate_time)


def test_previous_key_is_published_as_long_as_tokens_last() -> None:
    """What it signed last can be verified to its end, and no longer."""
    end = NEW.activate_time + RULES.kept

    assert [NEW, OLD] == list(RULES.published([OLD, NEW], end - timedelta(seconds=1)))
    assert [NEW] == list(RULES.published([OLD, NEW], end))


def test_old_keys_are_due() -> None:
    """A key is replaced in time for the next one to be known when it is due."""
    due = NOON + RULES.longest - RULES.ahead

    assert not RULES.is_due([OLD], due - timedelta(seconds=1))
    assert RULES.is_due([OLD], due)
    assert not RULES.is_due([OLD, NEW], due)


@given(
    gaps=st.lists(st.integers(1, 3000), min_size=1, max_size=6),
    token_age=st.integers(0, 24 * 60 - 1),
    moment=st.integers(0, 20000),
)
def test_no_token_in_use_is_ever_refused(gaps: list[int], token_age: int, moment: int) -> None:
    """Whenever keys were rotated: who signed a living token is published, before and after."""
    keys, at = [], NOON
    for number, gap in enumerate(gaps):
        keys.append(_key(f"k{number}", at))
        at += timedelta(minutes=gap)
    now = NOON + timedelta(minutes=moment)
    signed_at = max(NOON, now - timedelta(minutes=token_age))

    published = RULES.published(keys, now)

    assert current_of(keys, signed_at) in published
    assert current_of(keys, now + RULES.ahead) in published
