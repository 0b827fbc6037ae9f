"""What `hanami network get` shows of a network."""

from hanami.kyouko.v1 import network_service_pb2 as pb

from hanami_sdk.cli.networks import _fields


def test_what_a_pipeline_set_aside_is_shown() -> None:
    """Counts by channel and cause, late rows, stuck channels, and the channels of now."""
    pipeline = pb.PipelineStatistics(channels=5, late_rows=2, skipped_rows=3, stuck_channels=[1, 4])
    pipeline.quarantined.add(cause=pb.QUARANTINE_CAUSE_NON_FINITE, channel=4, values=7)
    network = pb.Network(statistics=pb.NetworkStatistics(pipeline=pipeline))

    shown = dict(_fields(network))

    assert ("5", "2", "3", "1, 4", "channel 4: 7 non finite") == (
        shown["Channels"],
        shown["Late rows"],
        shown["Skipped rows"],
        shown["Stuck channels"],
        shown["Quarantine"],
    )


def test_a_network_without_a_pipeline_shows_none_of_it() -> None:
    """The fields are there, and empty, so that they are left out."""
    shown = dict(_fields(pb.Network()))

    assert {""} == {shown[name] for name in ("Late rows", "Skipped rows", "Quarantine")}
