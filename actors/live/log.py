"""A host's log: one line of JSON a word, through structlog, in a file of its own: what nodes and devices tell the operator.

A disk that is full costs lines of the log and nothing else: trading does not depend on it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from core.message import News

LEVELS: Final = ("info", "warning", "error")
"""By News' urgency."""


class Log:
    """The file, and the face that a host gives news to."""

    def __init__(self, path: Path, host: str) -> None:
        self._handler = logging.FileHandler(path, encoding="utf-8", delay=True)
        self._handler.setFormatter(logging.Formatter("%(message)s"))
        self._handler.handleError = lambda record: None  # type: ignore[method-assign]
        logger = logging.Logger(f"astrarium.{host}")
        logger.addHandler(self._handler)
        processors: list[Any] = [
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ]
        self._log = structlog.wrap_logger(logger, processors=processors, wrapper_class=structlog.stdlib.BoundLogger, host=host)

    def tell(self, news: News) -> None:
        """Write a word down."""
        words = {"text": news.text} if news.text else {}
        getattr(self._log, LEVELS[news.urgency])(news.headline, source=news.source, **words)

    def close(self) -> None:
        """Let the file go."""
        self._handler.close()


class Line(msgspec.Struct, frozen=True):
    """One line of a log."""

    timestamp: str = ""
    level: str = "info"
    host: str = ""
    source: str = ""
    event: str = ""
    text: str = ""


def lines(path: Path, start: int = 0) -> Iterator[tuple[int, Line]]:
    """The whole lines of a log from a byte on, each with where the next begins; a line that is none is passed over."""
    decoder = msgspec.json.Decoder(Line)
    try:
        with path.open("rb") as file:
            file.seek(start)
            for raw in file:
                if not raw.endswith(b"\n"):
                    return
                start += len(raw)
                try:
                    yield start, decoder.decode(raw)
                except ValueError:
                    continue
    except FileNotFoundError:
        return
