"""Key and secret of an account at a venue: where they come from, and that they stay out of every word that is said.

They come from the environment (ASTRARIUM_KEY and ASTRARIUM_SECRET) or from a file of the same two names in TOML, which only its
owner may read (ASTRARIUM_KEYS says where it is); never from a command line, which every user of the machine can list.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from actors.errors import Exit, UserError
from core.dialect.binance.rest import Signer

KEY: Final = "ASTRARIUM_KEY"
SECRET: Final = "ASTRARIUM_SECRET"
FILE: Final = "ASTRARIUM_KEYS"
DEMO: Final = ("demo-key", "demo-secret")
"""What an emulated venue accepts without being told anything."""
FILE_BYTES_MAX: Final = 4_096


class Credentials:
    """A key and a secret, and in words where they are from. Neither is in its words, nor in those of what is made of it."""

    __slots__ = ("_secret", "key", "source")

    def __init__(self, key: str, secret: str, source: str) -> None:
        self.key, self._secret, self.source = key, secret, source

    def signer(self) -> Signer:
        """What signs with them."""
        return Signer(self.key, self._secret)

    def __repr__(self) -> str:
        return f"<Credentials from {self.source}>"

    def __reduce__(self) -> tuple[type[Credentials], tuple[str, str, str]]:
        raise TypeError("credentials do not leave their process")


def credentials(venue: str, environ: Mapping[str, str] = os.environ, path: Path | None = None) -> Credentials:
    """Those of the environment, of a file, or (for an emulated venue alone) the emulator's own. Raises UserError."""
    if path is None and environ.get(FILE):
        path = Path(environ[FILE])
    if path is not None:
        return _of_file(path)
    key, secret = environ.get(KEY, ""), environ.get(SECRET, "")
    if key and secret:
        return _plain(key, secret, "the environment")
    if key or secret:
        raise UserError(f"{KEY} and {SECRET} belong together: one of them is not set", Exit.CONFIGURATION)
    if venue == "emulator":
        return Credentials(*DEMO, "the emulator's own demo account")
    raise UserError(
        f"no key for {venue}: set {KEY} and {SECRET}, or {FILE} to a file with the two that only you can read", Exit.CONFIGURATION
    )


def _of_file(path: Path) -> Credentials:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise UserError(f"{path} may be read by others (mode {mode:04o}): chmod 600 {path}", Exit.CONFIGURATION)
            found = tomllib.loads(file.read(FILE_BYTES_MAX).decode())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", Exit.NOT_FOUND) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise UserError(f'{path}: not two lines of {KEY} = "..." and {SECRET} = "..."', Exit.CONFIGURATION) from None
    key, secret = found.get(KEY), found.get(SECRET)
    if not (isinstance(key, str) and isinstance(secret, str) and key and secret):
        raise UserError(f"{path}: has no {KEY} or no {SECRET}", Exit.CONFIGURATION)
    return _plain(key, secret, str(path))


def _plain(key: str, secret: str, source: str) -> Credentials:
    """A key goes into a header as it is: nothing in it may end the line."""
    if not (key.isascii() and key.isprintable() and len(key) <= 256 and " " not in key and len(secret) <= 1_024):
        raise UserError(f"the key from {source} is none", Exit.CONFIGURATION)
    return Credentials(key, secret, source)
