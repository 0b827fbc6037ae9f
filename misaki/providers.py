"""Reads the file of OpenID Connect providers that an installation is set up with."""

from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from mesh.settings import read_toml
from misaki.domain.provider_logins import NewPeople, Provider, is_plain_uri

ProviderId = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9-]{0,61}[a-z0-9]$")]


def _plain(uri: str) -> str:
    if not is_plain_uri(uri):
        raise ValueError("holds a user name, a fragment, or a character that is not allowed")
    return uri


RedirectUri = Annotated[str, AfterValidator(_plain)]


class _ProviderSettings(BaseModel):
    """One provider of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(pattern=r"^https://|^http://(127\.0\.0\.1|localhost)(:|/|$)")
    client_id: str = Field(min_length=1)
    client_secret_file: Path | None = None
    display_name: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    user_claim: str = "preferred_username"
    new_people: NewPeople = NewPeople.CREATE
    redirect_uris: tuple[RedirectUri, ...] = ()


class _File(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    providers: dict[ProviderId, _ProviderSettings]


def read_providers(path: Path) -> list[Provider]:
    """Return the providers of a TOML file.

    Raises:
        SystemExit: The file, or a secret it names, cannot be read; the message says why
            without repeating values.
    """
    try:
        file = _File.model_validate(read_toml(path))
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise SystemExit(f"misaki: {path}: {'; '.join(problems)}") from error
    return [_provider(name, settings) for name, settings in sorted(file.providers.items())]


def _provider(provider_id: str, settings: _ProviderSettings) -> Provider:
    values = settings.model_dump(exclude={"client_secret_file"})
    values["display_name"] = settings.display_name or provider_id
    secret = _secret(settings.client_secret_file) if settings.client_secret_file else ""
    return Provider(provider_id=provider_id, client_secret=secret, **values)


def _secret(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SystemExit(f"misaki: cannot read the secret of a provider: {error}") from error
