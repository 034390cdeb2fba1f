"""A session with a venue over real sockets: orders, the private stream, two ways for orders to leave, secrets that stay in."""

from __future__ import annotations

import os
import pickle
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from actors.emulator.running import RunningVenue
from actors.errors import UserError
from actors.live.clock import Clock
from actors.live.credentials import Credentials, credentials
from actors.live.lane import Lane
from actors.live.sender import Questioner, Worker
from actors.live.venue import Venue
from core.dialect.binance.answers import Answer
from core.dialect.binance.effects import Ask
from core.dialect.binance.hosts import VenueTable
from core.gateway import Gateway
from core.instrument import Instrument, Key
from core.ledger import Ledger
from core.message import (
    Bar,
    ExecType,
    ExecutionReport,
    Message,
    NewOrderSingle,
    OrderCancelReplaceRequest,
    OrderCancelRequest,
    PositionReport,
    SecurityStatus,
    TimeInForce,
    Timer,
    TradingState,
)

BTC = Instrument(Key("binance_usdm", "BTCUSDT"), "0.1", "0.001", base="BTC")
KEY, SECRET = "canary-key-7f3a", "canary-secret-91bd"


@pytest.fixture(scope="module")
def exchange() -> Iterator[RunningVenue]:
    with RunningVenue("--synth", "7") as venue:
        yield venue


class Account:
    """A loop, a gateway and a ledger: what a venue's session needs around it."""

    def __init__(self, url: str, orders: str = "rest") -> None:
        self.clock = Clock()
        self.calls: deque[Callable[[], None]] = deque()
        self.timed: list[tuple[int, int, Callable[[], None]]] = []
        self.count = 0
        self.words: list[tuple[int, str, str]] = []
        self.said: list[Message] = []
        self.states: dict[str, TradingState] = {}
        self.bars: list[Bar] = []
        self.opening: list[PositionReport] = []
        self.ledger = Ledger([BTC])
        self.gateway = Gateway("BTCUSDT")
        self.gateway.bind(self)
        table = VenueTable("emulator", orders=orders).at(url)  # type: ignore[arg-type]
        self.opened = 0
        self.venue = Venue(self, table, credentials("emulator", {}), [BTC], self.position, self.bars.append)
        self.tag = os.urandom(4).hex()

    def position(self, symbol: str) -> int:
        return self.ledger.position(symbol) + self.opened

    # --- the loop

    def soon(self, call: Callable[[], None]) -> None:
        self.calls.append(call)

    def at(self, when: int, call: Callable[[], None]) -> None:
        self.count += 1
        heappush(self.timed, (when, self.count, call))

    def hand(self, node: str, message: Message) -> None:
        now = self.clock.now()
        if isinstance(message, SecurityStatus):
            self.states[message.symbol] = message.state
        elif isinstance(message, PositionReport):
            self.opened = message.qty
        else:
            self.gateway.on(now, message)

    def news(self, urgency: int, headline: str, text: str = "") -> None:
        self.words.append((urgency, headline, text))

    # --- the gateway's outbox

    def send(self, message: Message) -> None:
        if isinstance(message, ExecutionReport) and message.now:
            self.said.append(message)
            self.ledger.apply(message)
        elif type(message).__name__ in ("OrderCancelReject", "Unanswered"):
            self.said.append(message)
        else:
            self.venue.submit(self.clock.now(), message)

    def wake(self, at: int, key: str = "") -> None:
        self.at(at, lambda: self.gateway.on(self.clock.now(), Timer(due=at, key=key)))

    def record(self, entry: Message) -> None: ...

    # --- turns

    def until(self, done: Callable[[], Any], seconds: float = 15.0) -> None:
        """Turn until something is so."""
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, (self.words, self.said, self.states)
            while self.calls:
                self.calls.popleft()()
            while self.timed and self.timed[0][0] <= self.clock.now():
                heappop(self.timed)[2]()
            time.sleep(0.0005)

    def ready(self) -> Account:
        self.venue.start()
        self.until(lambda: self.states.get("BTCUSDT") == TradingState.READY)
        return self

    def told(self, kind: ExecType) -> list[ExecutionReport]:
        return [one for one in self.said if isinstance(one, ExecutionReport) and one.exec_type == kind]

    def end(self) -> None:
        done: list[bool] = []
        self.venue.stop(lambda: done.append(True))
        self.until(lambda: done)

    def new(self, name: str, price: int, qty: int, tif: TimeInForce = TimeInForce.GTC) -> str:
        cl_ord_id = f"{self.tag}-{name}"
        order = NewOrderSingle("BTCUSDT", cl_ord_id=cl_ord_id, side=1, price=price, order_qty=qty, time_in_force=tif)
        self.gateway.on(self.clock.now(), order)
        return cl_ord_id


@pytest.mark.parametrize("orders", ["rest", "ws"])
def test_an_order_is_placed_moved_filled_and_canceled_over_real_sockets(exchange: RunningVenue, orders: str) -> None:
    account = Account(exchange.rest, orders).ready()
    assert account.bars or account.words
    if orders == "ws":
        account.until(lambda: account.venue.session.wire.spoken)
    resting = account.new("a", 500_000, 4)
    account.until(lambda: account.told(ExecType.NEW))
    moved = OrderCancelReplaceRequest(
        "BTCUSDT", cl_ord_id=f"{resting}-b", orig_cl_ord_id=resting, side=1, price=500_100, order_qty=5
    )
    account.gateway.on(account.clock.now(), moved)
    account.until(lambda: account.told(ExecType.REPLACED))
    replaced = account.told(ExecType.REPLACED)[0]
    assert (replaced.cl_ord_id, replaced.orig_cl_ord_id, replaced.price) == (f"{resting}-b", resting, 500_100)
    account.gateway.on(
        account.clock.now(), OrderCancelRequest("BTCUSDT", cl_ord_id=f"{resting}-c", orig_cl_ord_id=f"{resting}-b")
    )
    account.until(lambda: account.told(ExecType.CANCELED))
    canceled = account.told(ExecType.CANCELED)[0]
    assert (canceled.cl_ord_id, canceled.orig_cl_ord_id) == (f"{resting}-c", f"{resting}-b")
    account.new("d", 620_000, 3, TimeInForce.IOC)
    account.until(lambda: sum(one.last_qty for one in account.told(ExecType.TRADE)) == 3 or account.told(ExecType.EXPIRED))
    account.new("e", 500_000, 1_000_001)
    account.until(lambda: account.told(ExecType.REJECTED))
    assert "LOT_SIZE" in account.told(ExecType.REJECTED)[0].text
    account.end()
    assert not any(urgency == 2 for urgency, _, _ in account.words), account.words


def test_a_second_session_begins_with_the_position_of_the_first(exchange: RunningVenue) -> None:
    first = Account(exchange.rest).ready()
    first.new("a", 620_000, 2, TimeInForce.IOC)
    first.until(lambda: first.told(ExecType.TRADE))
    held = first.position("BTCUSDT")
    first.end()
    second = Account(exchange.rest).ready()
    assert second.opened == held
    assert second.ledger.position("BTCUSDT") == 0
    second.end()


def test_a_cut_stream_is_opened_again_and_what_happened_meanwhile_is_asked_for(exchange: RunningVenue) -> None:
    account = Account(exchange.rest).ready()
    next(one for number, one in account.venue._sockets.items() if number)._socket.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]
    account.new("a", 620_000, 2, TimeInForce.IOC)
    account.until(lambda: account.told(ExecType.TRADE))
    account.until(lambda: account.states["BTCUSDT"] == TradingState.READY and account.venue.session.stream.connections == 2)
    account.end()


# --- what transmits


class Peer:
    """A venue of one socket: what it answers with is written by hand."""

    def __init__(self, answers: list[bytes]) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.answers, self.heard = answers, []  # type: ignore[var-annotated]
        self.thread = Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        for answer in self.answers:
            connection, _ = self.listening.accept()
            with connection:
                connection.settimeout(5)
                heard = b""
                while b"\r\n\r\n" not in heard:
                    piece = connection.recv(4_096)
                    if not piece:
                        break
                    heard += piece
                self.heard.append(heard)
                connection.sendall(answer)
        self.listening.close()


def asked(peer: Peer, made: Callable[[], Worker], timeout_ms: int = 1_000) -> Answer | None:
    got: list[Answer | None] = []
    lane = Lane("test", 1, made, lambda call, answer: got.append(answer), time.time_ns)
    lane.put(Ask(1, "orders", "POST", "/fapi/v1/order?symbol=BTCUSDT&signature=ab", timeout_ms * 1_000_000))
    lane.close()
    lane.join(10)
    return got[0]


OK = b"HTTP/1.1 200 OK\r\nX-MBX-USED-WEIGHT-1M: 5\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize("kind", [Worker, Questioner])
@pytest.mark.parametrize(
    ("said", "status"),
    [
        (OK, 200),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 20\r\n\r\nService Unavailable.", 503),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 302),
        (b"", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{", None),
        (b"\x00\x01\x02 nonsense\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", None),
    ],
)
def test_an_answer_is_read_whole_or_there_is_none(kind: type[Worker], said: bytes, status: int | None) -> None:
    peer = Peer([said])
    answer = asked(peer, lambda: kind(peer.url, KEY))
    assert (answer.status if answer else None) == status
    assert len(peer.heard) == 1, "whatever comes of it, it is transmitted once"
    assert b"X-MBX-APIKEY: " + KEY.encode() in peer.heard[0]
    if status == 200:
        assert answer is not None
        assert answer.headers["x-mbx-used-weight-1m"] == "5"


def test_nobody_listening_is_no_answer() -> None:
    peer = Peer([])
    peer.thread.join(5)
    assert asked(peer, lambda: Worker(peer.url, KEY)) is None


def test_a_connection_that_the_venue_closed_is_not_used_again() -> None:
    peer = Peer([OK, OK])
    got: list[Answer | None] = []
    lane = Lane("test", 1, lambda: Worker(peer.url, KEY), lambda call, answer: got.append(answer), time.time_ns)
    for call in (1, 2):
        lane.put(Ask(call, "orders", "POST", "/x", 10**9))
        while len(got) < call:
            time.sleep(0.01)
        time.sleep(0.05)
    lane.close()
    lane.join(10)
    assert [one.status for one in got if one] == [200, 200]


# --- secrets


def test_secrets_are_in_no_words() -> None:
    one = Credentials(KEY, SECRET, "the environment")
    table = VenueTable("emulator")
    account = Account("http://127.0.0.1:1")
    venue = Venue(account, table, one, [BTC], account.position)
    words = [
        repr(one),
        str(one),
        repr(one.signer()),
        repr(venue),
        repr(venue.session),
        repr(venue.session.wire),
        str(venue.status()),
    ]
    for word in words:
        assert KEY not in word
        assert SECRET not in word
    with pytest.raises(TypeError):
        pickle.dumps(one)


def test_credentials_come_from_the_environment_or_from_a_file_that_others_cannot_read(tmp_path: Path) -> None:
    both = {"ASTRARIUM_KEY": KEY, "ASTRARIUM_SECRET": SECRET}
    assert credentials("production", both).key == KEY
    with pytest.raises(UserError, match="belong together"):
        credentials("production", {"ASTRARIUM_KEY": KEY})
    with pytest.raises(UserError, match="no key for production"):
        credentials("production", {})
    assert credentials("emulator", {}).key == "demo-key"
    file = tmp_path / "keys.toml"
    file.write_text(f'ASTRARIUM_KEY = "{KEY}"\nASTRARIUM_SECRET = "{SECRET}"\n')
    file.chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        credentials("production", {}, file)
    file.chmod(0o600)
    assert credentials("production", {}, file).key == KEY
    assert credentials("production", {"ASTRARIUM_KEYS": str(file)}).key == KEY
    file.write_text("nonsense " + SECRET)
    with pytest.raises(UserError) as error:
        credentials("production", {}, file)
    assert SECRET not in str(error.value)
    with pytest.raises(UserError, match="none"):
        credentials("production", {"ASTRARIUM_KEY": "a\r\nb", "ASTRARIUM_SECRET": SECRET})
