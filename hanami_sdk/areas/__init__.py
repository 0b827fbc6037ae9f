"""The mesh's resources, one module each, as the asynchronous client offers them.

Each method builds one request and makes one call; the blocking client offers
the same methods without `await` (`hanami_sdk.client`).
"""
