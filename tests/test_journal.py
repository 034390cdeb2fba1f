"""The journal's records: cut anywhere, flipped anywhere, and never believed wrongly."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.journal import ENTRY_BYTES_MAX, HEADER_BYTES, JournalError, records, seal

RANDOM = Random("journal")
ENTRIES = [RANDOM.randbytes(RANDOM.randrange(160)) for _ in range(1_000)]
WHOLE = b"".join(seal(k, entry) for k, entry in enumerate(ENTRIES))


def entries(data: bytes) -> list[bytes]:
    return [one.entry for one in records(data)]


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_what_is_sealed_is_read_back(given_entries: list[bytes]) -> None:
    data = b"".join(seal(k, entry) for k, entry in enumerate(given_entries))
    assert entries(data) == given_entries
    assert sum(one.end for one in list(records(data))[-1:]) == len(data)


def test_a_file_cut_at_any_byte_holds_the_entries_whose_records_are_whole() -> None:
    starts = [0, *(one.end for one in records(WHOLE))]
    for whole, (start, end) in enumerate(pairwise(starts)):
        first = max(whole - 2, 0)  # what lies further back is read the same way, wherever the cut
        for cut in range(start, end):
            found = [one.entry for one in records(WHOLE[starts[first] : cut], first)]
            assert found == ENTRIES[first:whole]
    assert entries(WHOLE[:-1]) == ENTRIES[:-1]


def test_a_bit_flipped_anywhere_is_seen_and_nothing_wrong_is_believed() -> None:
    few = 60
    data = b"".join(seal(k, entry) for k, entry in enumerate(ENTRIES[:few]))
    flipped = bytearray(data)
    for bit in range(8 * len(data)):
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            found = entries(bytes(flipped))
        except JournalError:
            found = None
        flipped[bit // 8] ^= 1 << bit % 8
        assert found is None or (found == ENTRIES[: len(found)] and len(found) == few - 1), bit


def test_damage_in_the_middle_says_where() -> None:
    data = bytearray(WHOLE)
    data[5_000] ^= 1
    with pytest.raises(JournalError, match=r"record \d+ at byte \d+ is damaged, [\d,]+ bytes follow"):
        entries(bytes(data))


def test_a_record_that_is_missing_from_the_middle_is_damage() -> None:
    data = seal(0, b"a") + seal(2, b"c" * 10) + seal(3, b"d")
    with pytest.raises(JournalError, match="record 1"):
        entries(data)


def test_a_flipped_length_of_the_last_record_but_one_is_no_torn_tail() -> None:
    data = bytearray(seal(0, b"a") + seal(1, b"b") + seal(2, b"c"))
    data[HEADER_BYTES + 1 + 1] ^= 1
    with pytest.raises(JournalError, match="record 1"):
        entries(bytes(data))


def test_an_entry_too_long_for_a_message_is_refused_before_it_is_written() -> None:
    with pytest.raises(ValueError, match="longer than a journal takes"):
        seal(0, bytes(ENTRY_BYTES_MAX + 1))
