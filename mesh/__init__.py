"""The chassis that all services share: server, interceptors, storage, settings.

Nothing here knows a service. Something enters when two services need it and
its name holds no word of their domains.
"""
