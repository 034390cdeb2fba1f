"""Which Binance USDⓈ-M venue an account trades at, and how its session behaves: all of it configuration, because the venue moves.

Hosts as of October 2026. The documents give the test exchange's stream host inconsistently, so each can be set by itself.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct, structs

from core.dialect.binance.feed import STREAMS

CHECKED: Final = "2026-10-31"
"""When the facts in `core/dialect/binance/` were last compared with the venue's documents."""


class Hosts(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a venue is: REST, streams (without the routed path), and the WebSocket API."""

    rest: str
    stream: str
    ws_api: str = ""


PRESETS: Final = {
    "production": Hosts("https://fapi.binance.com", "wss://fstream.binance.com", "wss://ws-fapi.binance.com/ws-fapi/v1"),
    "demo": Hosts(
        "https://demo-fapi.binance.com", "wss://fstream.binancefuture.com", "wss://testnet.binancefuture.com/ws-fapi/v1"
    ),
    "emulator": Hosts("http://127.0.0.1:8900", "ws://127.0.0.1:8900", "ws://127.0.0.1:8900/ws-fapi/v1"),
}


class VenueTable(Struct, frozen=True, forbid_unknown_fields=True):
    """`[venue]` of a graph file. An empty host is the preset's."""

    name: Literal["production", "demo", "emulator"] = "emulator"
    rest: str = ""
    stream: str = ""
    ws_api: str = ""
    streams: tuple[str, ...] = STREAMS
    """The kinds of streams of each instrument; `trade` and `depth@0ms` are older names that some venues still serve."""
    orders: Literal["rest", "ws"] = "rest"
    """How orders leave. Queries always go over REST."""
    window_ms: int = 2_000
    """recvWindow of requests. Proofs of absence count on at most this (`core/outcome.py`)."""
    answer_ms: int = 2_000
    """How long an order's answer is waited for before its outcome is unknown; queries are given twice as long."""
    lease_s: float = 30.0
    """The venue cancels an instrument's orders when it hears nothing for so long (countdownCancelAll); 0: no lease."""
    renew_s: float = 10.0
    """How often the lease is renewed while orders work."""
    reconcile_s: float = 25.0
    """How often executions and positions are compared with the venue's, whatever the stream says."""
    kline_minutes: int = 60
    """Minutes of one-minute bars that strategies are given before they trade; at most 1,500."""
    cancel_foreign: bool = False
    """Whether open orders that this house did not send are canceled at the start; they are reported in any case."""

    @property
    def hosts(self) -> Hosts:
        """The preset with what is set here."""
        named = {key: value for key in ("rest", "stream", "ws_api") if (value := getattr(self, key).rstrip("/"))}
        return structs.replace(PRESETS[self.name], **named)

    def at(self, url: str) -> VenueTable:
        """This venue with everything at one address, as an emulator has it: `http://host:port`."""
        rest = url.rstrip("/")
        stream = "ws" + rest.removeprefix("http")
        return structs.replace(self, rest=rest, stream=stream, ws_api=f"{stream}/ws-fapi/v1")
