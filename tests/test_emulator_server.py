"""The emulated venue with real sockets: the command, HTTP, web sockets; and strangers' bytes."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
import websocket
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.cli.main import main
from actors.emulator.exchange import TABLE, Exchange
from actors.emulator.running import RunningVenue
from actors.emulator.server import Clock, listen, serve
from actors.emulator.wsapi import METHODS
from tests.emulated_client import Client, opened


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    accounts = tmp_path_factory.mktemp("venue") / "accounts.toml"
    accounts.write_text('[[accounts]]\nname = "a"\nkey = "key-a"\nsecret = "secret-a"\nbalances = { USDT = "500" }\n')
    with RunningVenue("--synth", "5", "--symbols", "ETHUSDT", "--accounts", str(accounts)) as running:
        yield running


def test_time_is_the_present_and_the_market_moves(venue: RunningVenue) -> None:
    assert abs(requests.get(f"{venue.rest}/fapi/v1/time", timeout=5).json()["serverTime"] - time.time() * 1000) < 1000
    ids = set()
    for _ in range(3):
        ids.add(requests.get(f"{venue.rest}/fapi/v1/depth", {"symbol": "ETHUSDT", "limit": 5}, timeout=5).json()["lastUpdateId"])
        time.sleep(0.4)
    assert len(ids) == 3


def test_streams_arrive_in_real_time(venue: RunningVenue) -> None:
    stream = websocket.create_connection(f"{venue.streams}/public/stream?streams=ethusdt@depth@100ms", timeout=5)
    try:
        events = [json.loads(stream.recv())["data"] for _ in range(5)]
        assert all(later["pu"] == earlier["u"] for earlier, later in pairwise(events))
        assert abs(events[-1]["E"] - time.time() * 1000) < 500
    finally:
        stream.close()


def test_a_connection_that_the_venue_ends_is_closed_with_a_reason(venue: RunningVenue) -> None:
    stream = websocket.create_connection(f"{venue.streams}/market/ws", timeout=5)
    for _ in range(11):
        stream.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
    opcodes = [stream.recv_data(control_frame=True)[0] for _ in range(11)]
    assert opcodes[-1] == websocket.ABNF.OPCODE_CLOSE
    stream.shutdown()


def test_paths_that_are_not_there_are_refused(venue: RunningVenue) -> None:
    answer = requests.get(f"{venue.rest}/fapi/v1/nothing", timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (404, -5000)
    host, port = venue.rest.removeprefix("http://").split(":")
    upgrade = (
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13"
    )
    with socket.create_connection((host, int(port)), timeout=5) as stranger:
        stranger.sendall(f"GET /nowhere HTTP/1.1\r\nHost: {host}\r\n{upgrade}\r\n\r\n".encode())
        assert stranger.recv(64).startswith(b"HTTP/1.1 403")


def test_a_lost_answer_leaves_the_caller_waiting(venue: RunningVenue) -> None:
    venue.fault("answer_lost", "GET /fapi/v1/ping")
    with pytest.raises(requests.Timeout):
        requests.get(f"{venue.rest}/fapi/v1/ping", timeout=0.5)
    assert requests.get(f"{venue.rest}/fapi/v1/ping", timeout=5).json() == {}


def test_the_web_socket_api_refuses_a_logon_by_hmac(venue: RunningVenue) -> None:
    api = websocket.create_connection(venue.ws_api, timeout=5)
    try:
        api.send(json.dumps({"id": "x", "method": "session.logon", "params": {"apiKey": "key-a"}}))
        answer = json.loads(api.recv())
        assert (answer["id"], answer["status"], answer["error"]["code"]) == ("x", 400, -4056)
        api.send(json.dumps({"id": 2, "method": "depth", "params": {"symbol": "ETHUSDT", "limit": 5}}))
        answer = json.loads(api.recv())
        assert (answer["id"], answer["status"], len(answer["result"]["bids"])) == (2, 200, 5)
        assert answer["rateLimits"][0]["count"] == 7
    finally:
        api.close()


def test_the_command_says_where_it_is_and_what_it_accepts_and_ends_cleanly() -> None:
    words = [sys.executable, "-m", "actors.cli.main", "venue", "--synth", "2", "--symbols", "BTCUSDT"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(4)]
    address = lines[0].split()[1].rstrip(",")
    assert "demo-key with the secret demo-secret; balance 100000 USDT" in lines[1]
    assert lines[2].startswith("BTCUSDT: generated 0, from seed 2")
    for _ in range(100):
        try:
            assert requests.get(f"{address}/fapi/v1/ping", timeout=5).json() == {}
            break
        except requests.ConnectionError:
            time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=20)
    assert (process.returncode, complaint) == (0, "")


@pytest.mark.parametrize(("words", "code", "said"), [
    (["--host", "0.0.0.0"], 4, "loopback only"),
    (["--data", "x", "--synth", "1"], 4, "one of the two"),
    (["--data", "/nowhere/at/all"], 2, "no days"),
    (["--symbols", "DOGEUSDT"], 4, "no preset"),
    (["--speed", "0"], 4, "above 0"),
    (["--clock-speed", "0"], 4, "not above 0"),
    (["--faults", "/nowhere.toml"], 2, "nowhere.toml"),
    (["--port", "70000"], 1, "port 70000"),
])  # fmt: skip
def test_mistakes_are_named_in_one_line(words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["venue", *words]) == code
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1


def test_a_port_that_is_taken_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["venue", "--port", str(taken.getsockname()[1])]) == 1
    assert "in use" in capsys.readouterr().err


def test_a_store_is_replayed_round_and_round(tmp_path: Path) -> None:
    from actors.emulator.days import sources
    from actors.history.synth import synthesize
    from tests.emulated_client import SECOND, START

    synthesize(tmp_path, "BTCUSDT", days=2, events=10_000, seed=4)
    exchange = Exchange(sources(tmp_path, 1), START, speed=4.0)
    days = []
    for second in range(0, 100, 2):
        exchange.advance(START + second * SECOND)
        days.append(exchange.markets["BTCUSDT"].day_name)
    assert list(dict.fromkeys(days)) == ["2024-01-01", "2024-01-02"]
    assert days[-1] == "2024-01-01" or days.count("2024-01-01") > 20
    client = Client(exchange)
    assert client.get("v1/premiumIndex", signed=False, symbol="BTCUSDT")["lastFundingRate"] != "0.00010000"


EXCHANGE = opened()
KEYED = {"X-MBX-APIKEY": "demo-key"}
WORDS = """
    symbol side type quantity price timeInForce limit interval orderId origClientOrderId batchOrders startTime endTime
    fromId leverage timestamp signature recvWindow algoType triggerPrice callbackRate countdownTime goodTillDate priceMatch
    dualSidePosition marginType pair orderIdList closePosition algoId
"""
SOUND = "BTCUSDT BUY LIMIT MARKET GTC GTD 1m true 59000 0.01 CONDITIONAL STOP [{}] [1]"
NAMES = st.sampled_from(WORDS.split())
NUMBERS = st.one_of(st.integers(-(10**22), 10**22).map(str), st.floats().map(str))
VALUES = st.one_of(st.sampled_from(SOUND.split()), NUMBERS, st.text(max_size=20))


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.one_of(st.sampled_from(sorted(TABLE)), st.tuples(st.sampled_from(["GET", "PATCH", ""]), st.text(max_size=30))),
    st.dictionaries(NAMES, VALUES, max_size=8),
    st.booleans(),
    st.one_of(st.none(), st.text(max_size=40)),
)
def test_any_request_is_answered_in_the_venues_words(
    place: tuple[str, str], parameters: dict[str, str], signed: bool, raw: str | None
) -> None:
    """Whatever is asked, signed or not: JSON, and a refusal has a code and a message; nothing crashes."""
    method, path = place
    EXCHANGE.counters._weights.clear()
    EXCHANGE.counters._orders.clear()
    EXCHANGE.counters._banned.clear()
    client = Client(EXCHANGE)
    if raw is not None:
        answer = EXCHANGE.call(EXCHANGE.now, method, path, raw, raw, KEYED)
    elif signed and path.startswith("/fapi/"):
        asked: dict[str, Any] = {name: value for name, value in parameters.items() if name not in ("timestamp", "signature")}
        answer = client.ask(method, path.removeprefix("/fapi/"), **asked)
    else:
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        answer = EXCHANGE.call(EXCHANGE.now, method, path, query, "", KEYED)
    body = msgspec.json.decode(answer.body)
    assert answer.status in (200, 400, 401, 404, 429, 503)
    if answer.status != 200:
        assert set(body) == {"code", "msg"}, body
        assert body["code"] < 0


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(st.text(max_size=60), st.tuples(st.sampled_from(sorted(METHODS)), st.dictionaries(NAMES, VALUES, max_size=6))))
def test_any_message_to_the_web_socket_api_is_answered(said: str | tuple[str, dict[str, str]]) -> None:
    """Whatever is said on a connection: one answer in JSON with a status."""
    text = said if isinstance(said, str) else json.dumps({"id": 1, "method": said[0], "params": said[1]})
    EXCHANGE.counters._weights.clear()
    session: Any = EXCHANGE.connect(EXCHANGE.now, "/ws-fapi/v1")
    session.say(EXCHANGE.now, text)
    answers = [msgspec.json.decode(frame) for frame in session.take()]
    assert len(answers) == 1
    assert answers[0]["status"] in (200, 400, 401, 429)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=80), st.text(max_size=80))
def test_any_path_and_message_of_a_stream_is_survived(path: str, text: str) -> None:
    """A connection to anything, saying anything: it is closed or answered."""
    subscriber: Any = EXCHANGE.connect(EXCHANGE.now, f"/public/ws/{path}")
    subscriber.say(EXCHANGE.now, text)
    assert subscriber.closed or subscriber.take()
    subscriber.leave()


def test_an_answer_does_not_wait_for_an_acknowledgement(venue: RunningVenue) -> None:
    """Nagle's delay with a delayed acknowledgement would cost 40 ms, every time."""
    with requests.Session() as session:
        times = []
        for _ in range(20):
            began = time.perf_counter()
            session.get(f"{venue.rest}/fapi/v1/ticker/bookTicker", params={"symbol": "ETHUSDT"}, timeout=5)
            times.append(time.perf_counter() - began)
    assert min(times[1:]) < 0.03


def test_it_ends_at_once_with_connections_open() -> None:
    with RunningVenue("--synth", "2", "--symbols", "BTCUSDT") as running:
        stream = websocket.create_connection(f"{running.streams}/public/ws/btcusdt@depth@100ms", timeout=5)
        began = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began < 8
        stream.shutdown()


def test_a_market_that_breaks_ends_the_server() -> None:
    exchange = opened()

    def broken() -> int:
        raise ZeroDivisionError

    exchange.due = broken  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError), listen(0) as listening:
        asyncio.run(serve(exchange, Clock(), listening))
