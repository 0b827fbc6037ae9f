"""What the domain needs from outside: storage, cryptography, time and ids."""

from misaki.ports.access import AccessStore
from misaki.ports.credentials import CredentialStore
from misaki.ports.crypto import KeyRing, Passwords, Renewal, SignedToken, TokenMint
from misaki.ports.directory import Directory, RevocationsOf, no_revocations
from misaki.ports.identities import Identity, IdentityProvider, IdentityStore, StartedLogin
from misaki.ports.logins import AttemptStore, SessionStore
from misaki.ports.quotas import QuotaStore
from misaki.ports.sources import Clock, Digest, NewId

__all__ = [
    "AccessStore",
    "AttemptStore",
    "Clock",
    "CredentialStore",
    "Digest",
    "Directory",
    "Identity",
    "IdentityProvider",
    "IdentityStore",
    "KeyRing",
    "NewId",
    "Passwords",
    "QuotaStore",
    "Renewal",
    "RevocationsOf",
    "SessionStore",
    "SignedToken",
    "StartedLogin",
    "TokenMint",
    "no_revocations",
]
