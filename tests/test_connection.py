"""Frames cut from a server's bytes, whatever the pieces; a connection that is pinged, closed, broken."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.sync.server import serve

from actors.live.connection import BINARY, CLOSE, PING, TEXT, Connection, Cutter, ProtocolError

KINDS = {TEXT: Opcode.TEXT, BINARY: Opcode.BINARY, PING: Opcode.PING, CLOSE: Opcode.CLOSE}


def wire(opcode: int, payload: bytes, fin: bool = True) -> bytes:
    """A frame as another implementation writes it."""
    return Frame(Opcode(opcode), payload, fin).serialize(mask=False)


@st.composite
def conversations(draw):
    """Messages, some of them in fragments with pings between, and their bytes."""
    said, sent = [], b""
    sizes = st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
    for _ in range(draw(st.integers(0, 8))):
        opcode = draw(st.sampled_from([TEXT, BINARY, PING]))
        payload = bytes([draw(st.integers(0, 255))]) * (draw(st.integers(0, 125)) if opcode == PING else draw(sizes))
        if opcode == PING or draw(st.booleans()):
            sent += wire(opcode, payload)
        else:
            cuts = sorted(draw(st.lists(st.integers(0, len(payload)), min_size=1, max_size=3)))
            parts = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
            for number, part in enumerate(parts):
                sent += wire(opcode if number == 0 else 0, part, number == len(parts) - 1)
                if number < len(parts) - 1 and draw(st.booleans()):
                    sent += wire(PING, b"now")
                    said.append((PING, b"now"))
        said.append((opcode, payload))
    return said, sent


@given(conversations(), st.randoms(use_true_random=False))
def test_messages_are_the_same_in_whatever_pieces_their_bytes_come(conversation, random):
    said, sent = conversation
    cutter, heard, at = Cutter(), [], 0
    while at < len(sent):
        size = random.choice([1, 2, 3, 10, 1000, 100_000])
        heard += cutter.cut(sent[at : at + size])
        at += size
    assert heard == said


@pytest.mark.parametrize(
    "hostile",
    [
        b"\x81\x85abcdefghi",  # masked
        b"\xc1\x01a",  # an extension bit
        b"\x81\x7f" + (1 << 40).to_bytes(8, "big"),  # a terabyte
        b"\x80\x01a",  # the end of a message that never began
        b"\x01\x01a\x81\x01b",  # a message inside another
        b"\x09\x00",  # a ping in pieces
    ],
)
def test_what_breaks_the_protocol_is_an_error(hostile):
    with pytest.raises(ProtocolError):
        list(Cutter().cut(hostile))


class Lived:
    """A connection against a server of the test, and what was heard of it."""

    def __init__(self, handler):
        self.server = serve(handler, "127.0.0.1", 0)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.heard, self.ends, self.opened = [], [], threading.Event()
        url = f"ws://127.0.0.1:{self.server.socket.getsockname()[1]}/public/stream?streams=a"
        self.connection = Connection(url, self.heard.append, self.opened.set, self.ends.append)

    def __enter__(self):
        self.connection.start()
        return self

    def __exit__(self, *error):
        self.connection.close()
        self.connection.join(5)
        self.server.shutdown()
        self.thread.join(5)

    def end(self):
        self.connection.join(5)
        (why,) = self.ends
        return why


def test_pings_are_answered_and_the_venues_goodbye_is_told():
    ponged = []

    def handler(server):
        ponged.append(server.ping("are you there").wait(5))
        server.send("a frame")
        server.close(1001, "a day is over")

    with Lived(handler) as one:
        why = one.end()
    assert ponged == [True]
    assert one.heard == [b"a frame"]
    assert why == "closed by the venue: 1001 a day is over"


def test_a_connection_that_breaks_or_is_closed_ends_once_with_a_reason():
    with Lived(lambda server: server.socket.close()) as one:
        assert one.end()
    with Lived(lambda server: time.sleep(1)) as one:
        assert one.opened.wait(5)
        one.connection.close("enough")
        one.connection.close("more than enough")
        assert one.end() == "enough"


def test_nobody_listening_is_an_end_like_any_other():
    ends = []
    connection = Connection("ws://127.0.0.1:9/public/stream?streams=a", lambda frame: None, lambda: None, ends.append)
    connection.start()
    connection.join(10)
    assert len(ends) == 1
    assert ends[0]
