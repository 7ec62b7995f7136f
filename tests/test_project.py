"""The project itself: what it needs, what is in its wheel, and the rules of the house."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PACKAGES = ("adapters", "gateway", "plugin_bridge", "routing")
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40

# What each third-party package may be imported by: its edge.
EDGES = {
    "redis": "gateway/store/",
    "hiredis": "gateway/store/",
    "asyncpg": "gateway/archive/",
    "slack_sdk": "adapters/slack/",
    "slack_bolt": "adapters/slack/",
    "botbuilder": "adapters/teams/",
    "botframework": "adapters/teams/",
    "discord": "adapters/discord/",
    "tenacity": "plugin_bridge/",
    "standardwebhooks": "plugin_bridge/",
    "httptools": "plugin_bridge/lean/",
}
# Stand-ins speak for the other side of the wire and verify what the gateway signs.
STAND_INS = "gateway/sandbox/"


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    """The project's table of pyproject.toml."""
    table: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def _sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""})


def _unmet(requirement: Requirement, seen: set[str]) -> Iterator[str]:
    """What of a requirement, or of what it requires in turn, is missing or of a wrong version."""
    if str(requirement) in seen:
        return
    seen.add(str(requirement))
    try:
        found: Distribution = distribution(requirement.name)
    except PackageNotFoundError:
        yield f"{requirement} is not installed"
        return
    if not requirement.specifier.contains(found.version, prereleases=True):
        yield f"{requirement} is not met by {found.version}"
    for text in found.requires or ():
        needed = Requirement(text)
        if _applies(needed, requirement.extras):
            yield from (f"{requirement.name}: {each}" for each in _unmet(needed, seen))


def test_all_dependencies_and_extras_fit_together(project: dict[str, object]) -> None:
    """Every requirement of every requirement is installed in a version that it accepts."""
    dependencies, extras = project["dependencies"], project["optional-dependencies"]
    assert isinstance(dependencies, list)
    assert isinstance(extras, dict)
    wanted = [*dependencies, *(text for extra in extras.values() for text in extra)]
    requirements = [Requirement(text) for text in wanted]
    seen: set[str] = set()

    unmet = [
        each
        for requirement in requirements
        if _applies(requirement, set())
        for each in _unmet(requirement, seen)
    ]

    assert [] == unmet
    assert len(requirements) < len(seen)


def test_all_dependencies_can_be_imported_by_one_process() -> None:
    """The SDKs of all platforms together with both stores, without a warning."""
    names = (
        "aiohttp, asyncpg, botbuilder.core, cryptography, discord, hiredis, jwt, markdown_it, "
        "msgspec, orjson, prometheus_client, pydantic_settings, redis.asyncio, rich, slack_bolt, "
        "standardwebhooks, structlog, tenacity, typer, uvloop"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import {names}"], capture_output=True, text=True, check=False
    )

    assert (0, "") == (done.returncode, done.stderr)


def test_nobody_can_publish_it_by_mistake(project: dict[str, object]) -> None:
    """The registry refuses this classifier. https://pypi.org/classifiers/"""
    classifiers = project["classifiers"]
    assert isinstance(classifiers, list)
    assert "Private :: Do Not Upload" in classifiers


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of the files in the wheel, built by its backend."""
    out = tmp_path_factory.mktemp("wheel")
    program = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    [built] = out.iterdir()
    return zipfile.ZipFile(built).namelist()


def test_the_wheel_holds_the_four_packages_and_nothing_else(
    wheel: list[str], project: dict[str, object]
) -> None:
    """A stray top-level name would overwrite somebody else's package."""
    names = {name.partition("/")[0] for name in wheel}

    metadata = f"channel_proxy_gateway-{project['version']}.dist-info"
    assert {*PACKAGES, metadata} == names


def test_the_wheel_holds_every_source_and_all_that_is_read_at_run_time(wheel: list[str]) -> None:
    """Lua and SQL are files beside the code: forgotten, only an installed gateway would fail."""
    data = [
        path
        for package in PACKAGES
        for pattern in ("*.lua", "*.sql", "py.typed")
        for path in (ROOT / package).rglob(pattern)
    ]
    wanted = {_name(path) for path in [*_sources(), *data]}

    assert set() == wanted - set(wheel)
    assert {".lua", ".sql", ".typed"} == {path.suffix or path.name for path in data}
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(wheel)


def test_the_wheel_holds_no_tests(wheel: list[str]) -> None:
    """Nor caches nor anything compiled."""
    strays = ("test", "conftest", "__pycache__", ".pyc", ".env")

    assert [] == [name for name in wheel if any(stray in name for stray in strays)]


def test_files_stay_short() -> None:
    """What does not fit is two things."""
    lengths = {_name(path): len(path.read_text().splitlines()) for path in _sources()}

    assert {} == {name: lines for name, lines in lengths.items() if lines > MAX_FILE_LINES}


def test_functions_stay_short() -> None:
    """Docstring and all, but without the signature: that of a command is its list of options."""
    long = [
        f"{_name(path)}:{node.lineno} {node.name}"
        for path in _sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.body[0].lineno + 1 > MAX_FUNCTION_LINES
    ]

    assert [] == long


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]


def test_third_parties_are_imported_at_their_edge_only() -> None:
    """Also inside functions: what knows Redis, PostgreSQL or a platform is one folder each."""
    strays = [
        f"{_name(path)} imports {module}"
        for path in _sources()
        for module in _imports(path)
        if module in EDGES and not _name(path).startswith((EDGES[module], STAND_INS))
    ]

    assert [] == strays


def test_stand_ins_need_neither_a_store_nor_a_platforms_sdk() -> None:
    """They follow the platforms' documents; an SDK's mistakes would be theirs too."""
    allowed = {"standardwebhooks"}
    strays = [
        f"{_name(path)} imports {module}"
        for path in _sources()
        if _name(path).startswith(STAND_INS)
        for module in _imports(path)
        if module in EDGES.keys() - allowed
    ]

    assert [] == strays
