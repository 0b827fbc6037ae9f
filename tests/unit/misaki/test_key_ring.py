"""The keys in their files."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from misaki.crypto import key_ring, keys
from misaki.crypto.key_ring import FileKeyRing
from misaki.domain.key_times import RotationRules
from tests.unit.misaki.conftest import SettableClock

RULES = RotationRules(
    ahead=timedelta(minutes=15), kept=timedelta(hours=24), longest=timedelta(days=90)
)


@pytest.fixture
def now() -> SettableClock:
    """Return a clock at the real time: files have real dates."""
    return SettableClock(datetime.now(UTC) + timedelta(seconds=1))


def _ids(ring: FileKeyRing) -> list[str]:
    return [key.key_id for key in ring.public_keys()]


def test_key_of_an_earlier_version_goes_on(tmp_path: Path, now: SettableClock) -> None:
    """What signed before signs on, and after a rotation its tokens are still good."""
    first = keys.load_or_create(tmp_path).public.key_id
    ring = FileKeyRing(tmp_path, RULES, clock=now)

    ring.rotate(immediately=False)

    assert first == ring.current().public.key_id
    assert first == _ids(ring)[1]
    assert not (tmp_path / keys.FILE_NAME).exists()


def test_next_key_signs_when_it_is_time(tmp_path: Path, now: SettableClock) -> None:
    """Published at once, it signs later, and the one before stays for a day."""
    ring = FileKeyRing(tmp_path, RULES, clock=now)
    first = ring.current().public.key_id
    ring.rotate(immediately=False)
    second = _ids(ring)[0]

    now.now += RULES.ahead
    after = ring.current().public.key_id, _ids(ring)
    now.now += RULES.kept

    assert (second, [second, first]) == after
    assert [second] == _ids(ring)


def test_second_rotation_waits_for_the_first(tmp_path: Path, now: SettableClock) -> None:
    """Impatience does not push keys out that tokens in use need."""
    ring = FileKeyRing(tmp_path, RULES, clock=now)

    ring.rotate(immediately=False)
    once = _ids(ring)
    ring.rotate(immediately=False)

    assert once == _ids(ring)


def test_key_in_wrong_hands_is_gone_at_once(tmp_path: Path, now: SettableClock) -> None:
    """After an immediate rotation no earlier key verifies anything, a waiting one neither."""
    ring = FileKeyRing(tmp_path, RULES, clock=now)
    ring.rotate(immediately=False)
    before = set(_ids(ring))

    ring.rotate(immediately=True)

    assert [ring.current().public.key_id] == _ids(ring)
    assert not before & set(_ids(ring))


def test_restart_and_other_processes_see_the_same_keys(tmp_path: Path, now: SettableClock) -> None:
    """Who has the folder open hears of a rotation, and who opens it later too."""
    one, two = (FileKeyRing(tmp_path, RULES, clock=now) for _ in range(2))

    one.rotate(immediately=True)

    assert _ids(one) == _ids(two) == _ids(FileKeyRing(tmp_path, RULES, clock=now))


def test_rotations_at_once_make_one_key(tmp_path: Path, now: SettableClock) -> None:
    """Several processes whose key is due do not each make one."""
    rings = [FileKeyRing(tmp_path, RULES, clock=now) for _ in range(4)]

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(lambda ring: ring.rotate(immediately=False), rings))

    assert {2} == {len(_ids(ring)) for ring in rings}


def test_files_are_for_their_owner_only(tmp_path: Path, now: SettableClock) -> None:
    """Nobody else reads a key."""
    FileKeyRing(tmp_path, RULES, clock=now).rotate(immediately=False)

    assert 0o600 == (tmp_path / key_ring.RING_FILE_NAME).stat().st_mode & 0o777


@pytest.mark.parametrize(
    "content",
    ["", "{}", '{"keys": []}', '{"keys": [{}]}', "[1]", '{"keys": [{"private_key": "x"}]}'],
)
def test_other_files_are_never_replaced(tmp_path: Path, now: SettableClock, content: str) -> None:
    """A new key would void every token: what holds no keys is an error."""
    (tmp_path / key_ring.RING_FILE_NAME).write_text(content)

    with pytest.raises(keys.KeyFileError):
        FileKeyRing(tmp_path, RULES, clock=now)


def test_old_keys_leave_the_file(tmp_path: Path, now: SettableClock) -> None:
    """A key that verifies nothing any more is not kept."""
    ring = FileKeyRing(tmp_path, RULES, clock=now)
    for _ in range(4):
        ring.rotate(immediately=False)
        now.now += RULES.kept + RULES.ahead

    content = json.loads((tmp_path / key_ring.RING_FILE_NAME).read_bytes())

    assert 2 == len(content["keys"])
