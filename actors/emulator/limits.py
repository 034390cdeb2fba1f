"""How much may be asked: fixed windows of request weight an address and of orders an account, as exchangeInfo announces them.

A request over the weight is answered 429 until the window ends; who goes on asking nevertheless (`BAN_AFTER` more requests within
that window) is banned: 418, for `ban_ns`. Windows begin at multiples of their length of the venue's time.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from actors.emulator.answer import Refused

SECOND: Final = 1_000_000_000
BAN_AFTER: Final = 100


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """The numbers of exchangeInfo.rateLimits, and how long a ban lasts."""

    weight_minute: int = 2400
    orders_minute: int = 1200
    orders_ten_seconds: int = 300
    ban_seconds: int = 120


class _Window:
    __slots__ = ("began", "length", "used")

    def __init__(self, length: int) -> None:
        self.length, self.began, self.used = length, 0, 0

    def turn(self, now: int) -> None:
        began = now // self.length * self.length
        if began != self.began:
            self.began, self.used = began, 0


class Counters:
    """All windows of one venue. Times in ns UTC."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._weights: dict[str, _Window] = {}
        self._banned: dict[str, int] = {}
        self._orders: dict[str, tuple[_Window, _Window]] = {}

    def announced(self) -> list[dict[str, Any]]:
        """As exchangeInfo lists them."""
        weight = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": self.limits.weight_minute}
        return [weight, *self.order_limits()]

    def order_limits(self) -> list[dict[str, Any]]:
        """The account's own, as rateLimit/order lists them."""
        return [
            {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": self.limits.orders_minute},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": self.limits.orders_ten_seconds},
        ]

    def used_weight(self, now: int, address: str) -> int:
        """What the address has spent in this minute."""
        window = self._weights.setdefault(address, _Window(60 * SECOND))
        window.turn(now)
        return window.used

    def used_orders(self, now: int, account: str) -> tuple[int, int]:
        """Orders of this minute and of these ten seconds."""
        minute, ten = self._windows(now, account)
        return minute.used, ten.used

    def charge(self, now: int, address: str, weight: int) -> None:
        """Count a request's weight. Raises Refused -1003 (429, or 418 for a banned address)."""
        until = self._banned.get(address, 0)
        if now < until:
            raise self.banned(until)
        self.used_weight(now, address)
        window = self._weights[address]
        window.used += weight
        over = window.used - self.limits.weight_minute
        if over > BAN_AFTER:
            self._banned[address] = now + self.limits.ban_seconds * SECOND
            raise self.banned(self._banned[address])
        if over > 0:
            raise Refused(-1003, address, self.limits.weight_minute)

    def banned(self, until: int) -> Refused:
        """The refusal of an address that is banned until then."""
        when = until // 1_000_000
        text = f"Way too many requests; IP banned until {when}. Please use the websocket for live updates to avoid bans."
        return Refused(-1003, text=text, status=418)

    def retry_after(self, now: int, address: str) -> int:
        """Whole seconds until the address may ask again."""
        until = self._banned.get(address, 0)
        end = until if until > now else now // (60 * SECOND) * 60 * SECOND + 60 * SECOND
        return -(-(end - now) // SECOND)

    def ban(self, address: str, until: int) -> None:
        """Ban an address."""
        self._banned[address] = until

    def order(self, now: int, account: str, minute: int = 1, ten_seconds: int = 1) -> None:
        """Count orders. Raises Refused -1015 beyond the limits."""
        windows = self._windows(now, account)
        limits = self.limits
        if windows[0].used + minute > limits.orders_minute:
            raise Refused(-1015, limits.orders_minute, "1 MINUTE")
        if windows[1].used + ten_seconds > limits.orders_ten_seconds:
            raise Refused(-1015, limits.orders_ten_seconds, "10 SECOND")
        windows[0].used += minute
        windows[1].used += ten_seconds

    def _windows(self, now: int, account: str) -> tuple[_Window, _Window]:
        windows = self._orders.setdefault(account, (_Window(60 * SECOND), _Window(10 * SECOND)))
        for window in windows:
            window.turn(now)
        return windows
