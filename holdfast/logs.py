"""One line a log record, with time, level, logger and message; messages carry correlation ids, never payloads."""

from __future__ import annotations

import logging
import sys


def log_to_stderr(level: int = logging.INFO) -> None:
    """Let Holdfast's loggers write to stderr, where Dagster keeps the output of each run. Calling twice changes nothing."""
    logger = logging.getLogger("holdfast")
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        logger.addHandler(handler)
    logger.setLevel(level)
    # httpx logs whole addresses, and a patron who is looked up stands in the query.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
