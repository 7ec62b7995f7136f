"""Settings: the only reader of the environment. Reports every problem at once, never a secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gateway.core.errors import ConfigError
from gateway.core.ids import Platform
from gateway.core.urls import is_https_or_loopback, is_origin
from gateway.embedded import default_data_dir
from gateway.sealing import Seal

DEMO_PEPPER = "channel-gateway-demo-pepper-not-secret"
DEMO_SEALING_KEY = "ZGVtby1vbmx5LW5vdC1hLXNlY3JldC1rZXktMDAwMDA="
MIN_PEPPER_CHARS = 32
_PREFIX = "GATEWAY_"
_REDIS_SCHEMES = ("redis://", "rediss://", "unix://", "redis+cluster://", "rediss+cluster://")
_DATABASE_SCHEMES = ("postgresql://", "postgres://")


class Role(StrEnum):
    """What a process does. All of them by default; apart, each can be scaled by itself."""

    INGRESS = "ingress"
    BRIDGE = "bridge"
    EGRESS = "egress"


class Settings(BaseSettings):
    """Everything an operator can set. Each field is the environment variable `GATEWAY_<FIELD>`
    unless an alias names another.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, extra="ignore", frozen=True, populate_by_name=True
    )

    redis_url: str | None = Field(default=None, validation_alias="REDIS_URL")
    database_url: str | None = Field(default=None, validation_alias="DATABASE_URL")
    data_dir: Path = Field(default_factory=default_data_dir)
    """Where embedded servers keep their data, when a URL above is missing."""

    demo: bool = False
    pepper: SecretStr = SecretStr(DEMO_PEPPER)
    sealing_keys: Annotated[tuple[SecretStr, ...], NoDecode] = (SecretStr(DEMO_SEALING_KEY),)
    """Fernet keys, newest first, separated by commas."""

    shards: int = Field(default=16, ge=1, le=1024)
    commit_replicas: int = Field(default=0, ge=0, le=10)
    """How many replicas of Redis must have a message before it is acknowledged. With 0 a failover
    can lose what was acknowledged just before it.
    """
    commit_wait_s: float = Field(default=1.0, gt=0, le=4)
    """How long they may take; then it is not acknowledged, and the platform sends it again."""

    lease_s: float = Field(default=10.0, ge=1, le=300)
    stop_deadline_s: float = Field(default=20.0, ge=0, le=600)
    in_flight: int = Field(default=512, ge=1, le=10_000)
    """How many deliveries one process attempts at the same moment, per direction."""
    workers: int = Field(default=1, ge=1, le=64)
    """How many processes share the work on this machine, under one that looks after them."""
    transport: Literal["lean", "aiohttp"] = "lean"
    """The HTTP client towards the containers; only aiohttp goes through proxies."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65_535)
    ops_host: str = "127.0.0.1"
    ops_port: int = Field(default=9090, ge=0, le=65_535)
    """Metrics have a listener of their own: labels name tenants, which agents must not read."""

    public_host: str = "127.0.0.1"
    public_port: int = Field(default=8081, ge=0, le=65_535)
    """Where platforms call, when one does: the one listener that belongs on the internet, behind a
    proxy that speaks TLS.
    """
    public_url: str = ""
    """The address under which browsers and platforms reach that listener, such as
    https://gateway.example; needed for the pages by which workspaces install an app.
    """

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    retention_months: int = Field(default=13, ge=1, le=120)

    roles: Annotated[tuple[Role, ...], NoDecode] = tuple(Role)
    platforms: Annotated[tuple[Platform, ...], NoDecode] = (Platform.SLACK,)
    slack_app_token: SecretStr | None = Field(default=None, validation_alias="SLACK_APP_TOKEN")
    slack_mode: Literal["socket", "http", "both"] = Field(
        default="socket", validation_alias="SLACK_MODE"
    )
    slack_signing_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(), validation_alias="SLACK_SIGNING_SECRET"
    )
    """Of Slack's requests. Separated by commas while one takes the place of another."""
    slack_command_reply: str = Field(
        default="", max_length=2000, validation_alias="SLACK_COMMAND_REPLY"
    )
    """What a person who used a slash command reads at once; empty for nothing."""
    slack_recovery: Literal["auto", "on", "off"] = Field(
        default="auto", validation_alias="SLACK_RECOVERY"
    )
    """Whether what was said while nobody listened is read again. Slack lets apps that are
    distributed outside of its Marketplace do so once a minute, hence not by default for an app
    that workspaces install by themselves.
    """
    slack_agent_view: bool = Field(default=False, validation_alias="SLACK_AGENT_VIEW")
    """Whether the app has Slack's agent view: then people see a button that stops an answer."""
    slack_client_id: str = Field(default="", validation_alias="SLACK_CLIENT_ID")
    slack_client_secret: SecretStr | None = Field(
        default=None, validation_alias="SLACK_CLIENT_SECRET"
    )
    """With both, workspaces can install the app by themselves, and tokens are renewed."""
    slack_api_base_url: str = Field(
        default="https://slack.com/api/", validation_alias="SLACK_API_BASE_URL"
    )
    slack_posts_per_s: float = Field(default=1.0, gt=0, le=100)
    """Pace per channel; Slack allows about one message a second."""

    @property
    def is_called(self) -> bool:
        """Whether platforms, or browsers for their pages, call this process."""
        if Role.INGRESS not in self.roles or Platform.SLACK not in self.platforms:
            return False
        return self.slack_mode != "socket" or bool(self.slack_client_id and self.public_url)

    @property
    def recovers(self) -> bool:
        """Whether gaps are filled from the platform's history."""
        if self.slack_recovery == "auto":
            return not self.slack_client_id
        return self.slack_recovery == "on"

    @field_validator("sealing_keys", "platforms", "roles", "slack_signing_secrets", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("sealing_keys", "roles")
    @classmethod
    def _some(cls, value: tuple[object, ...]) -> tuple[object, ...]:
        if not value:
            raise ValueError("must name at least one")
        return value

    def checked(self) -> Self:
        """Refuse what cannot work and secrets that all know. Raises ConfigError naming each."""
        return self._refuse(self.problems(serving=False))

    def checked_for_serving(self) -> Self:
        """Check what only `serve` needs, too. Raises ConfigError naming every problem."""
        return self._refuse(self.problems(serving=True))

    def problems(self, *, serving: bool) -> list[str]:
        """Say what is wrong with these settings; with `serving`, also for that."""
        problems = self._store_problems() + self._secret_problems()
        if not serving:
            return problems
        problems += self._worker_problems()
        if Platform.SLACK in self.platforms:
            problems += self._slack_problems()
        for platform in self.platforms:
            if platform is not Platform.SLACK:
                problems.append(f"GATEWAY_PLATFORMS: {platform.value} has no adapter yet")
        return problems

    def _refuse(self, problems: list[str]) -> Self:
        if problems:
            raise ConfigError(_listed(problems))
        return self

    def _worker_problems(self) -> list[str]:
        problems = []
        if self.workers > self.shards:
            problems.append(
                f"GATEWAY_WORKERS is {self.workers}, but there are {self.shards} shards to share "
                "(GATEWAY_SHARDS): more workers than that would have nothing to do"
            )
        if self.workers > 1 and set(self.roles) == {Role.INGRESS}:
            problems.append(
                f"GATEWAY_WORKERS is {self.workers}, but GATEWAY_ROLES is ingress alone, which is "
                "one worker's: events keep their order because one process hears them all"
            )
        return problems

    def _store_problems(self) -> list[str]:
        problems = []
        if self.redis_url and not self.redis_url.startswith(_REDIS_SCHEMES):
            problems.append(f"REDIS_URL must begin with {', '.join(_REDIS_SCHEMES)}")
        if self.database_url and not self.database_url.startswith(_DATABASE_SCHEMES):
            problems.append(f"DATABASE_URL must begin with {', '.join(_DATABASE_SCHEMES)}")
        return problems

    def _secret_problems(self) -> list[str]:
        problems = []
        try:
            Seal([key.get_secret_value() for key in self.sealing_keys])
        except ConfigError as exc:
            problems.append(str(exc))
        if self.demo:
            return problems
        pepper = self.pepper.get_secret_value()
        if pepper == DEMO_PEPPER:
            problems.append("GATEWAY_PEPPER is not set: `channel-gateway secrets` makes one")
        elif len(pepper) < MIN_PEPPER_CHARS:
            problems.append(f"GATEWAY_PEPPER is shorter than {MIN_PEPPER_CHARS} characters")
        if any(key.get_secret_value() == DEMO_SEALING_KEY for key in self.sealing_keys):
            problems.append("GATEWAY_SEALING_KEYS is not set: `channel-gateway secrets` makes one")
        return problems

    def _slack_problems(self) -> list[str]:
        problems = self._slack_intake_problems() if Role.INGRESS in self.roles else []
        return problems + self.problems_of_installs()

    def problems_of_installs(self) -> list[str]:
        """Say what is wrong with what workspaces are installed and asked with."""
        problems = []
        if not is_https_or_loopback(self.slack_api_base_url):
            problems.append("SLACK_API_BASE_URL must be https, or http on loopback")
        if bool(self.slack_client_id) != bool(self.slack_client_secret):
            problems.append("SLACK_CLIENT_ID and SLACK_CLIENT_SECRET: set both, or neither")
        if self.public_url and not is_origin(self.public_url):
            problems.append(
                "GATEWAY_PUBLIC_URL must be https://host, or http on loopback, and nothing more"
            )
        return problems

    def _slack_intake_problems(self) -> list[str]:
        problems = []
        token = self.slack_app_token.get_secret_value() if self.slack_app_token else ""
        # Over HTTP it is only asked who shares a channel, and may be left out.
        if not token.startswith("xapp-") and (token or self.slack_mode != "http"):
            problems.append(
                "SLACK_APP_TOKEN must be an app-level token (xapp-...): "
                "set it, or take slack out of GATEWAY_PLATFORMS"
            )
        if self.slack_mode != "socket" and not self.slack_signing_secrets:
            problems.append(
                f"SLACK_SIGNING_SECRET is not set, but SLACK_MODE is {self.slack_mode}: "
                "it stands in the app's settings under Basic Information"
            )
        return problems


def load_settings(
    *, serving: bool = False, roles: Sequence[str] | None = None, workers: int | None = None
) -> Settings:
    """Read the environment; `roles` and `workers` come from the command line and win over it.

    Raises ConfigError that names every setting that cannot be read and, since somebody has to
    repair them anyway, all others that cannot work, with `serving` those for serving too.
    """
    given: dict[str, object] = {"roles": ",".join(roles)} if roles else {}
    if workers is not None:
        given["workers"] = workers
    try:
        return Settings.model_validate(given)
    except ValidationError as exc:
        unreadable = {
            error["loc"]: error["msg"].removeprefix("Value error, ") for error in exc.errors()
        }
    # Outside the handler, so without a context: pydantic quotes the input, which may be a secret.
    raise ConfigError(_listed(_all_problems(unreadable, serving=serving)))


def _all_problems(unreadable: Mapping[tuple[int | str, ...], str], *, serving: bool) -> list[str]:
    listed = [f"{_env_name(loc)}: {message}" for loc, message in unreadable.items()]
    named = tuple(_env_name(loc) for loc in unreadable)
    fields = {
        field.validation_alias or name: field for name, field in Settings.model_fields.items()
    }
    # With defaults in the place of what is broken, the rest can be judged in the same breath.
    broken = {str(loc[0]) for loc in unreadable}
    rest = Settings.model_validate(
        {key: fields[key].get_default(call_default_factory=True) for key in broken}
    )
    return listed + [each for each in rest.problems(serving=serving) if not each.startswith(named)]


def _env_name(loc: tuple[int | str, ...]) -> str:
    name = str(loc[0]) if loc else "settings"
    return name if name.isupper() else f"{_PREFIX}{name.upper()}"


def _listed(problems: list[str]) -> str:
    return "\n".join(problems)
