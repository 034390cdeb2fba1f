"""RUNS: the only code that touches the world. Whoever imports any of it has numba's cache in the right place."""

from actors.compile_cache import point

point()
