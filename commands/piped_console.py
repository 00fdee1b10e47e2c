"""rich's console for what `holdfast marc` prints: who closes the pipe ends the command in its usual way (exit code 141)."""

from __future__ import annotations

from rich.console import Console


class PipedConsole(Console):
    def on_broken_pipe(self) -> None:
        # rich would end the command here, with 1: that says that something is wrong with the records.
        raise BrokenPipeError
