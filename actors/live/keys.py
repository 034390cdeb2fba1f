"""Who may speak to whom: CURVE key pairs in files, a folder of enrolled public keys, and the doorkeeper who looks in it.

    keys/<name>.secret             public and secret key of a host of this session, readable by its owner alone
    keys/enrolled/<name>.public    what the doorkeeper knows a key by

CURVE alone lets any stranger in who makes a key pair of his own: only the doorkeeper keeps him out, and while there is none
each socket refuses everybody (`actors/live/sockets.py`). A key that is taken out of the folder opens no further connection; one
that stands is not cut.

One key may be several people's: who is enrolled as `operator` may call himself `operator:4711`, and nothing else.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final, NamedTuple

import zmq
from zmq.utils import z85

from actors.errors import Exit, UserError

DOMAIN: Final = "astrarium"
"""The ZAP domain (rfc.zeromq.org/spec/27): a socket that has one refuses everybody while no doorkeeper answers."""
_DOOR: Final = "inproc://zeromq.zap.01"
_KEY_CHARACTERS: Final = 40


class KeyPair(NamedTuple):
    """A name and its keys, 40 characters each (Z85)."""

    name: str
    public: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"KeyPair({self.name!r}, {self.public!r}, ...)"


def make(folder: Path, name: str) -> KeyPair:
    """Make a pair for a name, keep it and enroll it. Raises UserError when there is one already."""
    public, secret = zmq.curve_keypair()
    path = _secret_path(folder, name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise UserError(f"{path} exists: a key is never overwritten", Exit.CONFIGURATION) from error
    with os.fdopen(file, "wb") as stream:
        stream.write(b"%s\n%s\n" % (public, secret))
    enroll(folder, name, public)
    return KeyPair(name, public, secret)


def load(folder: Path, name: str) -> KeyPair:
    """Read a pair. Raises UserError when it is not there, is not one, or others than its owner could read it."""
    path = _secret_path(folder, name)
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        lines = path.read_bytes().split()
    except OSError as error:
        raise UserError(f"no key of {name}: {path}: {error.strerror}", Exit.CONFIGURATION) from error
    if mode & 0o077:
        raise UserError(
            f"{path} has mode {mode:04o}: others can read the key. Make a new one, with mode 0600", Exit.CONFIGURATION
        )
    if len(lines) != 2 or not all(_is_key(line) for line in lines) or _public_of(lines[1]) != lines[0]:
        raise UserError(f"{path} holds no key pair", Exit.CONFIGURATION)
    return KeyPair(name, *lines)


def enroll(folder: Path, name: str, public: bytes) -> None:
    """Let a key in under a name, from now on."""
    path = _public_path(folder, name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(public + b"\n")
    fresh.replace(path)


def revoke(folder: Path, name: str) -> None:
    """Open no further connection to what is enrolled under a name."""
    _public_path(folder, name).unlink(missing_ok=True)


def enrolled(folder: Path) -> dict[bytes, str]:
    """Names by public key. A file that holds no key enrolls nobody."""
    found = {}
    for path in sorted(folder.glob("enrolled/*.public")):
        key = path.read_bytes().strip()
        if _is_key(key):
            found[key] = path.stem
    return found


def may_be(user: str, name: str) -> bool:
    """Whether who is enrolled as `user` may call itself `name`."""
    return name == user or name.startswith(f"{user}:")


class Doorkeeper:
    """Answers the library's question, for every socket of a context that serves, whether a key may come in (ZAP).

    It must stand before the first socket is bound. `answer` is called by the thread that uses the sockets, and never blocks.
    """

    def __init__(self, context: zmq.SyncContext, folder: Path) -> None:
        self.folder = folder
        self.refused = 0
        self.socket: zmq.SyncSocket = context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.bind(_DOOR)
        self._seen = -1
        self._names: dict[bytes, str] = {}

    def answer(self) -> None:
        """Answer all that wait."""
        while True:
            try:
                question = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            caller, _, version, request, domain, _, _, mechanism, *credentials = question
            key = z85.encode(credentials[0]) if mechanism == b"CURVE" and len(credentials) == 1 else b""
            name = self._lookup().get(key, "") if domain == DOMAIN.encode() else ""
            verdict = (b"200", b"OK") if name else (b"400", b"not enrolled")
            self.refused += not name
            self.socket.send_multipart([caller, b"", version, request, *verdict, name.encode(), b""])

    def close(self) -> None:
        """Answer nobody any more."""
        self.socket.close()

    def _lookup(self) -> dict[bytes, str]:
        try:
            seen = (self.folder / "enrolled").stat().st_mtime_ns
        except OSError:
            return {}
        if seen != self._seen:
            self._seen, self._names = seen, enrolled(self.folder)
        return self._names


def _public_of(secret: bytes) -> bytes:
    try:
        return zmq.curve_public(secret)
    except zmq.ZMQError:
        return b""


def _is_key(line: bytes) -> bool:
    return len(line) == _KEY_CHARACTERS


def _secret_path(folder: Path, name: str) -> Path:
    return folder / f"{_file_name(name)}.secret"


def _public_path(folder: Path, name: str) -> Path:
    return folder / "enrolled" / f"{_file_name(name)}.public"


def _file_name(name: str) -> str:
    if not name or "/" in name or name.startswith("."):
        raise UserError(f"{name!r} cannot be the name of a key", Exit.CONFIGURATION)
    return name
