"""Words of memory by address, and how the kernel's functions are compiled.

The kernel keeps a whole day's state in one array of 64-bit words; some of the words are the addresses of the other arrays.
Its functions take that one address, an integer. Arrays as arguments are what makes numba slow here: a helper called for
each market row that is handed a small state array costs seven to nine times the row itself in reference counts, and a
namedtuple of many arrays 0.8 µs a call (FIDELITY section 8). An address costs nothing, negative prices need no wrap-around
test, and a book's base address can be moved so that a price in ticks is the index.

The price is that nothing checks a bound here. What may be an index is settled before: rows by the price range of the day
(replay.py refuses a row outside it), own orders by clipping (exchange.py), slots and rings by their capacity.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core.caching import IndexDataCacheFile
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])
_ROOT = Path(__file__).parents[2]
_IMPORT = re.compile(r"^\s*(?:from|import)\s+([\w.]+)(?:\s+import\s+\(?\s*(\w+))?", re.MULTILINE)
_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    """The project's own files that a file imports."""
    found = []
    for module, name in _IMPORT.findall(path.read_text(encoding="utf-8")):
        for dotted in (module, f"{module}.{name}"):
            other = _ROOT.joinpath(*dotted.split(".")).with_suffix(".py")
            if other.is_file():
                found.append(other)
    return tuple(found)


@cache
def _sources(path: Path) -> bytes:
    """A hash of a file and of all of the project's that it imports, and they import."""
    seen, waiting = {path}, [path]
    while waiting:
        for other in _imports(waiting.pop()):
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return sha256(b"".join(source.read_bytes() for source in sorted(seen))).digest()


def _kept(dispatcher: Any, function: Callable[..., Any]) -> Any:
    """Key the cache by everything that may have been compiled in, and by the module's name.

    numba looks at the function's own file only: an edited queue model would go on running inside a replay that was compiled
    before the edit. So the stamp that it compares takes in all that the file imports of the project. And what it keeps names
    the module to import: a strategy loaded from its path has another name than the same file in a package. Where the sources
    lie is in neither: a cluster unpacks every edition of the program into a folder of its own.
    """
    impl = dispatcher._cache._impl
    folder = Path(impl.locator.get_cache_path())
    if numba.config.CACHE_DIR:  # type: ignore[attr-defined]
        folder = folder.parent / "kernels"
        with suppress(OSError):  # numba says it where it writes
            folder.mkdir(parents=True, exist_ok=True)
    stamp = _sources(Path(function.__code__.co_filename))
    name = f"{impl.filename_base}-{sha256(function.__module__.encode()).hexdigest()[:8]}"
    dispatcher._cache._cache_file = IndexDataCacheFile(  # type: ignore[no-untyped-call]
        str(folder), name, stamp
    )
    return dispatcher


def compiled(function: F) -> F:
    """Compile in nopython mode, kept in numba's cache, without the GIL; floats stay exact (no fast math)."""
    return cast(F, _kept(numba.njit(**_OPTIONS)(function), function))


def inlined(function: F) -> F:
    """Like `compiled`, put into its caller: for the few steps that stand in an inner loop."""
    return cast(F, _kept(numba.njit(forceinline=True, **_OPTIONS)(function), function))


def _reader(element: Any, stored: ir.Type, widen: str) -> Any:
    def read(typingctx: Any, base: Any, index: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            place = builder.gep(builder.inttoptr(args[0], stored.as_pointer()), [args[1]])
            value = builder.load(place)
            return getattr(builder, widen)(value, ir.IntType(64)) if widen else value

        return element(types.int64, types.int64), codegen

    return intrinsic(read)


def _writer(element: Any, stored: ir.Type, narrow: bool) -> Any:
    def write(typingctx: Any, base: Any, index: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            place = builder.gep(builder.inttoptr(args[0], stored.as_pointer()), [args[1]])
            builder.store(builder.trunc(args[2], stored) if narrow else args[2], place)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, element), codegen

    return intrinsic(write)


def _eight_set(typingctx: Any, address: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        eight = ir.VectorType(ir.IntType(64), 8)
        words = builder.load(builder.inttoptr(args[0], eight.as_pointer()), align=8)
        bits = builder.bitcast(builder.icmp_unsigned("!=", words, ir.Constant(eight, [0] * 8)), ir.IntType(8))
        return builder.zext(bits, ir.IntType(64))

    return types.int64(types.int64), codegen


def _high_zeros(typingctx: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), codegen


def _called(count: int) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        shape = ir.FunctionType(ir.IntType(8).as_pointer(), [ir.IntType(64)] * count)
        builder.call(builder.inttoptr(args[0], shape.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * (count + 1)), codegen


def _call3(typingctx: Any, function: Any, a: Any, b: Any, c: Any) -> Any:
    return _called(3)


def _call6(typingctx: Any, function: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any:
    return _called(6)


def entry(function: Any, *records: Any) -> int:
    """The address of a compiled function of records (numpy dtypes) that returns nothing, to be called with their addresses.

    Whoever calls by address is compiled once, whatever is called; the function itself is compiled now, or found in the cache.
    """
    signature = tuple(numba.from_dtype(record) for record in records)
    function.compile(signature)
    made = function.overloads[signature]
    return int(made.library.get_pointer_to_function(made.fndesc.llvm_cfunc_wrapper_name))


i64: Callable[[int, int], int] = _reader(types.int64, ir.IntType(64), "")
"""`i64(address, n)`: the n-th 64-bit integer from the address."""
i32: Callable[[int, int], int] = _reader(types.int64, ir.IntType(32), "sext")
"""`i32(address, n)`: the n-th 32-bit integer, widened."""
u8: Callable[[int, int], int] = _reader(types.int64, ir.IntType(8), "zext")
"""`u8(address, n)`: the n-th byte."""
f64: Callable[[int, int], float] = _reader(types.float64, ir.DoubleType(), "")
"""`f64(address, n)`: the n-th double."""
put_i64: Callable[[int, int, int], None] = _writer(types.int64, ir.IntType(64), False)
put_i32: Callable[[int, int, int], None] = _writer(types.int64, ir.IntType(32), True)
put_u8: Callable[[int, int, int], None] = _writer(types.int64, ir.IntType(8), True)
put_f64: Callable[[int, int, float], None] = _writer(types.float64, ir.DoubleType(), False)
eight_set: Callable[[int], int] = cast(Any, intrinsic(_eight_set))
"""`eight_set(address)`: which of the eight 64-bit integers from there on are not 0, a bit each, the last one's the highest."""
high_zeros: Callable[[int], int] = cast(Any, intrinsic(_high_zeros))
"""`high_zeros(word)`: how many zero bits stand above the highest that is set, of a word that is not 0."""
call3: Callable[[int, int, int, int], None] = cast(Any, intrinsic(_call3))
"""`call3(function, a, b, c)`: call what `entry` gave with three addresses."""
call6: Callable[[int, int, int, int, int, int, int], None] = cast(Any, intrinsic(_call6))
"""`call6(function, a, ..., f)`: with six."""
