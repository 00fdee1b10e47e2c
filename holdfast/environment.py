"""Addresses and secrets: the environment variables that Holdfast reads, in one place.

Values are never logged; `describe` says only which are set.
"""

from __future__ import annotations

import base64
import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

from holdfast.settings import Settings, SettingsError


class Variable(NamedTuple):
    name: str
    what: str
    secret: bool
    schemes: tuple[str, ...] = ()


VARIABLES = (
    Variable("HOLDFAST_CONFIG", "path of holdfast.toml (default: ./holdfast.toml)", False),
    Variable("HOLDFAST_VAR", "folder of the lake, vault and embedded services (default: paths.var)", False),
    Variable("HOLDFAST_POSTGRES_URL", "PostgreSQL; not set: an embedded one", True, ("postgresql", "postgres")),
    Variable("HOLDFAST_REDIS_URL", "Redis; not set: an embedded one", True, ("redis", "rediss", "unix")),
    Variable(
        "HOLDFAST_ELASTICSEARCH_URL", "Elasticsearch; not set: search stays in PostgreSQL", True, ("http", "https")
    ),
    Variable(
        "HOLDFAST_BROKER_URL",
        "broker of the Celery workers (deploy/celery); not set: runs are processes of this machine",
        True,
        ("amqp", "amqps", "redis", "rediss", "redis+socket"),
    ),
    Variable(
        "HOLDFAST_RESULTS_URL",
        "Redis where the workers say what became of a run; the broker's address if that is a Redis",
        True,
        ("redis", "rediss", "redis+socket"),
    ),
    Variable("HOLDFAST_ILS_URL", "the library system's gateway", False, ("http", "https")),
    Variable("HOLDFAST_ILS_TENANT", "FOLIO tenant; Koha has none", False),
    Variable("HOLDFAST_ILS_USER", "user of the library system; of Koha the client id of an API key", False),
    Variable("HOLDFAST_ILS_PASSWORD", "its password; of Koha the secret of the key", True),
    Variable("HOLDFAST_MASKING_SALT", "the institution's salt for masked values (16 characters at least)", True),
    Variable("HOLDFAST_VAULT_KEY", "base64 of the 32-byte key that seals originals; not set: VAR/vault/key", True),
    Variable(
        "HOLDFAST_REPORTS_URL",
        "address under which VAR/reports is served, for the links in the UI; `make run` sets it; not set: paths are shown",
        False,
        ("http", "https"),
    ),
    Variable("HOLDFAST_DAGSTER_STORAGE_URL", "Dagster's storage; set by `holdfast services start`", True),
    Variable("HOLDFAST_DAGSTER_ARTIFACTS", "folder of Dagster's artifacts; set likewise", False),
    Variable("HOLDFAST_DAGSTER_LOGS", "folder of the runs' output; set likewise", False),
)

# A login a source or collection of holdfast.toml, by its name in capitals.
LOGINS = (
    Variable("HOLDFAST_SOURCE_<NAME>_USER", "user at the source's server; of S3 the access key's id", False),
    Variable("HOLDFAST_SOURCE_<NAME>_PASSWORD", "password there; of S3 the secret key; with _KEY its passphrase", True),
    Variable("HOLDFAST_SOURCE_<NAME>_KEY", "SFTP: the private key, or the path of its file", True),
    Variable("HOLDFAST_COLLECTION_<NAME>_USER", "user at the collection's OAI-PMH repository", False),
    Variable("HOLDFAST_COLLECTION_<NAME>_PASSWORD", "password there", True),
)
_LOGIN = re.compile(
    r"HOLDFAST_(?:SOURCE_([A-Z][A-Z0-9_]*)_(?:USER|PASSWORD|KEY)|COLLECTION_([A-Z][A-Z0-9_]*)_(?:USER|PASSWORD))"
)

# Read by the tests and the benchmarks alone; a shell that has it is no mistake.
_OTHERS = {"HOLDFAST_TEST_DATA"}


@dataclass(frozen=True)
class Login:
    """How to come in at a source's server; empty where nothing is set."""

    user: str = ""
    password: str = field(default="", repr=False)
    key: str = field(default="", repr=False)

    @property
    def auth(self) -> tuple[str, str] | None:
        """User and password for HTTP; None where no user is set."""
        return (self.user, self.password) if self.user else None


@dataclass(frozen=True)
class Environment:
    """The variables as found; empty where not set."""

    values: Mapping[str, str] = field(repr=False)

    def get(self, name: str) -> str:
        return self.values.get(name, "")

    def login(self, table: str, name: str) -> Login:
        """Of a source ('SOURCE') or collection ('COLLECTION')."""
        prefix = f"HOLDFAST_{table}_{name.upper()}_"
        return Login(self.get(prefix + "USER"), self.get(prefix + "PASSWORD"), self.get(prefix + "KEY"))

    def check_logins(self, settings: Settings) -> None:
        """Every login belongs to a source or collection that is asked somewhere.

        Raises:
            SettingsError: a variable names none.
        """
        faults = []
        for name in sorted(self.values):
            if found := _LOGIN.fullmatch(name):
                table, names = (
                    ("sources", [n for n, each in settings.sources.items() if each.url])
                    if found[1]
                    else ("collections", [n for n, each in settings.collections.items() if each.url])
                )
                if (found[1] or found[2]).lower() not in names:
                    allowed = ", ".join(n.upper() for n in names) or "none: no table has a url"
                    faults.append(f"{name}: no such table with a url in {table} of holdfast.toml (allowed: {allowed})")
        if faults:
            raise SettingsError("\n".join(faults))

    def need(self, name: str) -> str:
        """Value of `name`.

        Raises:
            SettingsError: it is not set.
        """
        value = self.get(name)
        if not value:
            what = next((v.what for v in VARIABLES if v.name == name), "")
            raise SettingsError(f"{name} is not set: {what}. `make run` sets it; so does `holdfast services start`")
        return value

    def describe(self) -> list[tuple[str, str, str]]:
        """Rows (name, 'set' or 'not set', what it is); never a value."""
        rows = [(v.name, "set" if self.get(v.name) else "not set", v.what) for v in VARIABLES]
        logins = sorted(name for name in self.values if _LOGIN.fullmatch(name))
        return rows + [
            (name, "set" if self.get(name) else "not set", "login of a source or collection") for name in logins
        ]


def read_environment(environ: Mapping[str, str] | None = None) -> Environment:
    """The HOLDFAST_* variables, checked.

    Raises:
        SettingsError: a variable has a form that can't be right, or a HOLDFAST_ variable of that name is not known.
    """
    environ = os.environ if environ is None else environ
    values = {v.name: environ.get(v.name, "") for v in VARIABLES}
    values |= {name: value for name, value in environ.items() if _LOGIN.fullmatch(name)}
    known = values.keys() | _OTHERS
    faults = [_unknown(name) for name in sorted(environ) if name.startswith("HOLDFAST_") and name not in known]
    for variable in VARIABLES:
        value = values[variable.name]
        if value and variable.schemes and urlsplit(value).scheme not in variable.schemes:
            faults.append(f"{variable.name}: must start with {' or '.join(s + '://' for s in variable.schemes)}")
    salt = values["HOLDFAST_MASKING_SALT"]
    if salt and len(salt) < 16:
        faults.append(f"HOLDFAST_MASKING_SALT: found {len(salt)} characters; 16 at least")
    key = values["HOLDFAST_VAULT_KEY"]
    if key:
        try:
            length = len(base64.b64decode(key, validate=True))
        except ValueError:
            length = -1
        if length != 32:
            faults.append("HOLDFAST_VAULT_KEY: must be base64 of exactly 32 bytes, as `openssl rand -base64 32` makes")
    if faults:
        raise SettingsError("\n".join(faults))
    return Environment(values)


def _unknown(name: str) -> str:
    names = [v.name for v in VARIABLES]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
    hint = f"did you mean {near[0]}?" if near else f"unset it; those that are: {', '.join(names)}"
    return f"{name}: no such variable is known; {hint}"
