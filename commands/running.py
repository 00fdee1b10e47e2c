"""What `make run` has running, for commands that are called beside it: they find it without a variable set, and start nothing."""

from __future__ import annotations

import os

from commands.demo_library import running_demo_library
from commands.processes import Started
from holdfast.environment import read_environment
from holdfast.settings import Settings
from resources.embedded.masking_salt import kept_salt
from resources.embedded.services import status


def use_what_runs(settings: Settings) -> None:
    """Set what the environment lacks: the embedded services, the institution's salt and the demo library, where they run."""
    given, running = read_environment(), status(settings.var)
    found = {
        f"HOLDFAST_{name.upper()}_URL": running[name].url for name in ("postgres", "redis") if running[name].answers
    }
    if found and not given.get("HOLDFAST_MASKING_SALT"):
        found["HOLDFAST_MASKING_SALT"] = kept_salt(settings.var)
    if not given.get("HOLDFAST_ILS_URL"):
        found |= running_demo_library(settings, Started(settings.var))
    os.environ.update({name: value for name, value in found.items() if not given.get(name)})
