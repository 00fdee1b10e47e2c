"""What can go wrong with a vendor's server."""

from __future__ import annotations

import ftplib

import aiohttp
import botocore.exceptions
import paramiko


class DropChanged(OSError):
    """The file is not what it was when it was looked at; it is taken once it is still."""


class SiteUnreachable(OSError):
    """The server does not answer, refuses us or broke too often; says which and at which byte."""


# What a server and the way to it can do to us. ValueError: names that a protocol can't carry.
BROKEN: tuple[type[Exception], ...] = (
    OSError,
    EOFError,
    ValueError,
    ftplib.Error,
    paramiko.SSHException,
    aiohttp.ClientError,  # below s3fs
    botocore.exceptions.BotoCoreError,
    botocore.exceptions.ClientError,
)
