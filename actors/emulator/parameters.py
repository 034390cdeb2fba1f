"""A request's parameters as the venue reads them: query and form body together, typed with its own errors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from actors.emulator.answer import Refused

_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{0,18})?", re.ASCII)
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_SYMBOL: Final = re.compile(r"[A-Z0-9_-]{1,20}", re.ASCII)
FIELDS_MAX: Final = 200


class Parameters:
    """Names and texts. A getter raises Refused with the documented code when what it reads is not of its kind."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values

    @classmethod
    def read(cls, query: str, body: str) -> Parameters:
        """From a query string and a form body; the query wins. Raises Refused -1101 for a name given twice."""
        values: dict[str, str] = {}
        for part in (body, query):
            try:
                pairs = parse_qsl(part, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
            except (ValueError, UnicodeDecodeError) as error:
                raise Refused(-1130, "query") from error
            seen: set[str] = set()
            for name, value in pairs:
                if name in seen:
                    raise Refused(-1101, name)
                seen.add(name)
                values[name] = value
        return cls(values)

    @classmethod
    def of(cls, given: dict[str, Any]) -> Parameters:
        """From a JSON object, as batches and the web socket API give them."""
        return cls({name: _text(value) for name, value in given.items() if value is not None})

    def has(self, name: str) -> bool:
        """Whether it was sent and is not empty."""
        return bool(self.values.get(name))

    def text(self, name: str, default: str | None = None) -> str:
        """Any text; mandatory without a default."""
        value = self.values.get(name, "")
        if value:
            return value
        if default is None:
            raise Refused(-1102, name)
        return default

    def choice(self, name: str, among: Iterable[str], code: int, default: str | None = None) -> str:
        """One of several words; anything else is refused with `code`."""
        value = self.text(name, default)
        if value not in among:
            raise Refused(code, name)
        return value

    def flag(self, name: str, default: bool | None = None) -> bool:
        """true or false."""
        value = self.text(name, None if default is None else str(default).lower()).lower()
        if value not in ("true", "false"):
            raise Refused(-1130, name)
        return value == "true"

    def integer(self, name: str, default: int | None = None, low: int = 0, high: int = 1 << 62) -> int:
        """A whole number within bounds."""
        value = self.text(name, None if default is None else str(default))
        if not _INTEGER.fullmatch(value):
            raise Refused(-1102, name)
        number = int(value)
        if not low <= number <= high:
            raise Refused(-1130, name)
        return number

    def number(self, name: str, default: Decimal | None = None) -> Decimal:
        """A plain decimal; exponents and signs other than a minus are illegal characters here."""
        value = self.text(name, None if default is None else str(default))
        if not _NUMBER.fullmatch(value):
            raise Refused(-1100, name, "^([0-9]{1,20})(\\.[0-9]{1,20})?$")
        return Decimal(value)

    def symbol(self, name: str = "symbol") -> str:
        """A symbol in capitals."""
        value = self.text(name).upper()
        if not _SYMBOL.fullmatch(value):
            raise Refused(-1100, name, "^[A-Z0-9-_.]{1,20}$")
        return value

    def listed(self, name: str, most: int) -> list[Any]:
        """A JSON array of at most `most` items."""
        try:
            items = msgspec.json.decode(self.text(name), type=list[Any])
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            raise Refused(-1130, name) from error
        if not 0 < len(items) <= most:
            raise Refused(-4082)
        return items


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
