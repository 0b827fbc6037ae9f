"""Run a whole mesh on one machine: the services, and a real Envoy in front.

Start with `hanami_sdk.local.mesh`; everything else here serves it. Nothing in
this package speaks to a running mesh as a client would: that is
`hanami_sdk.client`.
"""
