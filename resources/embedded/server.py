"""What an embedded PostgreSQL and an embedded Redis have in common: start once, find again, recover, stop.

    VAR/services/NAME.json        the socket's folder, as chosen at the last start
    VAR/services/NAME/data/       the data; the server's working folder
    VAR/services/NAME/alive       locked by the server and its children as long as one of them lives
    VAR/services/NAME/server.log

`alive` is opened by the starter and inherited by the server: the kernel frees the lock with the last process, in whatever
way it ends. So nothing starts on data that a leftover child (or a server in another container) still writes.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import ClassVar

from resources.embedded import sockets
from resources.embedded.account import Account, account_for, let_pass
from resources.embedded.errors import ServiceError, tail
from resources.embedded.processes import heads, put_down, serving
from resources.embedded.turn import take_turn, try_lock

_log = logging.getLogger(__name__)

# Replaying a write-ahead log or an append-only file after a crash may take this long.
_RECOVERY_SECONDS = 180
# A server that lives and says nothing for so long is started again.
_SILENCE_SECONDS = 5
# What is left of a server gets so long to end by itself before the next one starts.
_PATIENCE_SECONDS = 10
_LONGEST_LOG = 10_000_000


class Answer(Enum):
    """What a server said: it serves, it is getting ready (or going), or nothing."""

    YES = "yes"
    WAIT = "wait"
    NO = "no"


@dataclass(frozen=True)
class State:
    """How a service is: `pid` is 0 when it does not run, `url` empty."""

    name: str
    running: bool
    answers: bool
    pid: int
    url: str
    data: Path


class EmbeddedServer(ABC):
    name: ClassVar[str]
    program: ClassVar[str]
    socket_name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    may_be_root: ClassVar[bool]

    def __init__(self, var: Path) -> None:
        self._services = var.resolve() / "services"
        self.folder = self._services / self.name
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"

    @abstractmethod
    def url(self, socket: Path) -> str:
        """Address of the server whose socket lies in `socket`."""

    @abstractmethod
    def ask(self, socket: Path) -> Answer: ...

    @abstractmethod
    def prepare(self, account: Account, alive: int) -> None:
        """Make the data folder where there is none, and clear what a dead server left in it. Programs that write there inherit
        the lock `alive`."""

    def put_down(self, patience_seconds: float = 60) -> bool:
        """End all that serves the data, or makes them; whether there was any."""
        return put_down(self.program, self.data, self.stop_signal, patience_seconds=patience_seconds)

    @abstractmethod
    def command(self, socket: Path, account: Account) -> list[str]: ...

    @abstractmethod
    def finish(self, socket: Path) -> None:
        """What a server needs once it answers."""

    def start(self) -> tuple[str, bool]:
        """The server's address, and whether it was started now (or ran already).

        Raises:
            ServiceError: it does not start; the text has the end of its log.
        """
        with take_turn(self._services / f"{self.name}.lock"):
            recorded = self._recorded()
            if recorded is not None and self._runs_and_answers(recorded):
                return self.url(recorded), False
            self.put_down(_PATIENCE_SECONDS)
            account = account_for(self.data, may_be_root=self.may_be_root)
            self.folder.mkdir(parents=True, exist_ok=True)
            let_pass(self.data, account)
            alive = self._wait_until_free()
            try:
                socket = sockets.socket_folder(self.folder, self.socket_name, account, recorded)
                self._record(socket)
                sockets.clear(socket)
                self.prepare(account, alive)
                self._launch(self.command(socket, account), account, alive)
            finally:
                os.close(alive)
            self._wait_until_ready(socket)
            self.finish(socket)
            return self.url(socket), True

    def stop(self) -> bool:
        """End the server of this VAR and no other; whether it ran."""
        if not self._services.exists():
            return False
        with take_turn(self._services / f"{self.name}.lock"):
            ran = self.put_down()
            if self.folder.exists():
                # The shell of a starter that was killed may be about to become the server.
                with suppress(ServiceError):
                    os.close(self._wait_until_free())
            recorded = self._recorded()
            if recorded is not None:
                sockets.remove(recorded, self.folder)
            return ran

    def state(self) -> State:
        """How it is now; starts, waits for and changes nothing."""
        running = heads(serving(self.program, self.data))
        recorded = self._recorded()
        answers = bool(running) and recorded is not None and self.ask(recorded) is Answer.YES
        url = self.url(recorded) if running and recorded is not None else ""
        return State(self.name, bool(running), answers, running[0].pid if running else 0, url, self.data)

    def last_url(self) -> str:
        """Its address at the last start, whether it runs or not; empty before the first."""
        recorded = self._recorded()
        return self.url(recorded) if recorded is not None else ""

    def _runs_and_answers(self, socket: Path) -> bool:
        """Whether a living server answers; one that recovers is waited for, one that is silent is not."""
        began = time.monotonic()
        while serving(self.program, self.data):
            answer = self.ask(socket)
            if answer is Answer.YES:
                return True
            waited = time.monotonic() - began
            if waited > (_RECOVERY_SECONDS if answer is Answer.WAIT else _SILENCE_SECONDS):
                _log.warning("%s runs and does not answer; it is started again", self.name)
                return False
            time.sleep(0.1)
        return False

    def _wait_until_free(self) -> int:
        """Descriptor of the lock `alive`, for the server to inherit. What is seen to serve the data meanwhile is ended: the shell
        of a starter that was killed becomes a server yet."""
        descriptor = self._alive()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not try_lock(descriptor):
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise ServiceError(
                    f"{self.folder}: a {self.program} that can't be seen from here (of another container, perhaps) "
                    "still uses these data; stop it there, or set HOLDFAST_VAR to another folder"
                )
            self.put_down(_PATIENCE_SECONDS)
            time.sleep(0.05)
        return descriptor

    def _alive(self) -> int:
        return os.open(self.folder / "alive", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)

    def _ended(self) -> bool:
        """Whether nothing lives of what inherited the lock."""
        descriptor = self._alive()
        try:
            return try_lock(descriptor)
        finally:
            os.close(descriptor)

    def _launch(self, command: list[str], account: Account, alive: int) -> None:
        if self.log.exists() and self.log.stat().st_size > _LONGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            # The shell puts the server in the background of a session of its own and ends: nothing ties the server to us.
            subprocess.run(
                ["/bin/sh", "-c", '"$@" </dev/null &', "sh", *command],
                check=True,
                cwd=self.data,
                env={"PATH": os.defpath, "LC_ALL": "C", "HOME": str(self.data)},
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                pass_fds=[alive],
                start_new_session=True,
                umask=0o077,
                timeout=30,
                **account.credentials(),
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ServiceError(f"{command[0]}: can't be run ({error})") from error
        finally:
            os.close(descriptor)

    def _wait_until_ready(self, socket: Path) -> None:
        began = time.monotonic()
        while time.monotonic() - began < _RECOVERY_SECONDS:
            if self.ask(socket) is Answer.YES:
                return
            if self._ended():
                raise ServiceError(f"{self.name} ended as it started. {self.log} ends:\n{tail(self.log)}")
            time.sleep(0.02)
        raise ServiceError(
            f"{self.name} does not answer after {_RECOVERY_SECONDS} s. {self.log} ends:\n{tail(self.log)}"
        )

    def _recorded(self) -> Path | None:
        try:
            found = json.loads((self._services / f"{self.name}.json").read_text())["socket"]
        except (OSError, ValueError, KeyError, TypeError):
            # Missing or torn: whatever runs is found by its folder and started again.
            return None
        return Path(found) if isinstance(found, str) else None

    def _record(self, socket: Path) -> None:
        handle, partial = tempfile.mkstemp(dir=self._services, prefix=f".{self.name}.")
        with os.fdopen(handle, "w") as file:
            json.dump({"socket": str(socket), "url": self.url(socket)}, file)
        Path(partial).replace(self._services / f"{self.name}.json")
