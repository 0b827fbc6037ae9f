"""Room on the disk: promised once, and told when it is gone."""

import errno

import pytest

from mesh.errors import ResourceExhausted
from shiori.domain.room import Room


def test_promised_room_is_not_promised_again() -> None:
    """Of two uploads that fit one by one and not together the second is refused."""
    room = Room(lambda: 100)

    with room.promised(60), pytest.raises(ResourceExhausted) as caught, room.promised(41):
        pytest.fail("promised twice")
    with room.promised(100):
        pass

    assert "LIMIT_REACHED" == caught.value.reason
    assert {"limit": "40", "actual": "41"} == caught.value.metadata


def test_bytes_on_the_disk_are_not_counted_twice() -> None:
    """What has been written is missing in the free room already."""
    free = 100
    room = Room(lambda: free)

    with room.promised(60) as promise:
        promise.fill(50)
        free -= 50
        with room.promised(40):
            pass
        with pytest.raises(ResourceExhausted), room.promised(41):
            pytest.fail("promised twice")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_full_disk_is_a_limit(number: int) -> None:
    """A disk that fills on the way ends in a clear error, and the room is free again."""
    room = Room(lambda: 100)

    with pytest.raises(ResourceExhausted, match="the disk is full") as caught, room.promised(100):
        raise OSError(number, "full")

    assert "LIMIT_REACHED" == caught.value.reason
    with room.promised(100):
        pass


def test_other_errors_stay_what_they_are() -> None:
    """A broken disk is not a full one."""
    room = Room(lambda: 100)

    with pytest.raises(OSError, match="broken") as caught, room.promised(100):
        raise OSError(errno.EIO, "broken")

    assert errno.EIO == caught.value.errno
