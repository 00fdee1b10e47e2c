"""Which system a name in the ledger stands for.

Ledger and snapshot are kept by the library system's name. Two systems under one name would share them: what a sandbox took
would count as written in production. So the address of a name is remembered, and another one is refused at the start.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from resources.postgres.client import Postgres

_PORTS = {"http": 80, "https": 443}


class AnotherIlsError(RuntimeError):
    """The ledger of this name was written to a system at another address."""


def plain_address(url: str, tenant: str) -> str:
    """What tells one system from another: scheme, host, port, path and tenant. On this machine the port says nothing: the
    demo library gets another one at each start, and so does what a tunnel leads to."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if _is_here(host):
        return f"this machine{parts.path.rstrip('/')} tenant {tenant}"
    port = parts.port or _PORTS.get(parts.scheme.lower(), 0)
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme.lower()}://{shown}:{port}{parts.path.rstrip('/')} tenant {tenant}"


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def remember_address(postgres: Postgres, name: str, url: str, tenant: str, moved_from: str = "") -> None:
    """Write down that the system `name` is at `url`, the first time; and see that it still is.

    Args:
        moved_from: the address that it had before, where it moved.

    Raises:
        AnotherIlsError: it was at another address.
    """
    address = plain_address(url, tenant)
    before = {plain_address(moved_from, tenant), moved_from} if moved_from else set()
    with postgres.transaction() as connection:
        connection.execute(
            "INSERT INTO ils_addresses (ils, address) VALUES (%s, %s) ON CONFLICT (ils) DO UPDATE SET last_used = now()",
            [name, address],
        )
        row = connection.execute("SELECT address FROM ils_addresses WHERE ils = %s", [name]).fetchone()
        found = row["address"] if row else address
        if found != address and found in before:
            connection.execute("UPDATE ils_addresses SET address = %s WHERE ils = %s", [address, name])
        elif found != address:
            raise AnotherIlsError(
                f"HOLDFAST_ILS_URL: {address} is not where {name} was until now ({found}). If this is another system (a sandbox, "
                f'say), set `name` in [ils] of holdfast.toml to a name of its own, as name = "sandbox". If the same system '
                f"moved, set `moved_from` there to its address before, without the tenant, for one run"
            )
