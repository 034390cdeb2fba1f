"""What a mistyped word was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause that names the known word nearest to a mistyped one, or lists a few where none is near."""
    words = sorted(known)
    near = get_close_matches(name, words, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(words[:12])}{' ...' if len(words) > 12 else ''}" if words else "there are none"
