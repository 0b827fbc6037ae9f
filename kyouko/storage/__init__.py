"""Where kyouko keeps things: tables for networks and tasks, blobs for snapshots."""
