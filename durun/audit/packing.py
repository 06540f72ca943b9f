"""How bundles are compressed: as streams, in the same bytes for the same content.

zstd is Python's own since 3.14; the same module can be had for an older one (`durun[zstd]`).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, BinaryIO, Literal, TypeAlias

from durun.errors import BundleDamaged, UsageError

Packing: TypeAlias = Literal["gzip", "zstd"]

CHUNK = 1 << 20
"""Bytes that are in memory at once."""

_MAGIC: Mapping[Packing, bytes] = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
_GZIP = 16 + zlib.MAX_WBITS
_AGAIN = "get the bundle anew from where it was made"


def packing_of(name: str) -> Packing:
    """How a file of this name is packed. Raises UsageError."""
    if name.endswith((".tar.gz", ".tgz")):
        return "gzip"
    if name.endswith((".tar.zst", ".tzst")):
        _zstd()
        return "zstd"
    raise UsageError(f"{name} is no name of a bundle", "name it FILE.tar.gz or FILE.tar.zst")


def packer(packing: Packing) -> str:
    """The library that packs so, with its version: another one may choose other bytes for the same content."""
    return f"zlib {zlib.ZLIB_RUNTIME_VERSION}" if packing == "gzip" else f"zstd {_zstd().zstd_version}"


def packing_in(file: BinaryIO) -> Packing:
    """How the file is packed. Raises BundleDamaged."""
    file.seek(0)
    start = file.read(4)
    for packing, magic in _MAGIC.items():
        if start.startswith(magic):
            return packing
    raise BundleDamaged("this is no bundle: neither gzip nor zstd", _AGAIN)


def is_packed_as(file: BinaryIO, packing: Packing) -> bool:
    """Whether the file is, byte for byte, what packing its content here gives."""
    at = 0
    for piece in compressed(unpacked(file, packing), packing):
        file.seek(at)
        if file.read(len(piece)) != piece:
            return False
        at += len(piece)
    file.seek(at)
    return not file.read(1)


class Stream:
    """Pieces as a file that can only be read on."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int) -> bytes:
        """So many bytes; fewer at the end."""
        parts, missing = [], size
        while missing and (self._rest or self._fill()):
            part, self._rest = self._rest[:missing], self._rest[missing:]
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def skip(self, size: int) -> None:
        """Go on so many bytes."""
        while size and (part := self.read(min(size, CHUNK))):
            size -= len(part)

    def _fill(self) -> bool:
        self._rest = next((piece for piece in self._pieces if piece), b"")
        return bool(self._rest)


def _in_chunks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same in chunks of one size: what a compressor writes may depend on where they end."""
    stream = Stream(pieces)
    while chunk := stream.read(CHUNK):
        yield chunk


def compressed(pieces: Iterator[bytes], packing: Packing) -> Iterator[bytes]:
    """The pieces as one compressed stream: the same bytes, however they are cut."""
    compressor: Any
    if packing == "gzip":
        compressor = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
    else:
        zstd = _zstd()
        options = {zstd.CompressionParameter.compression_level: 15, zstd.CompressionParameter.checksum_flag: 1}
        compressor = zstd.ZstdCompressor(options=options)
    for chunk in _in_chunks(pieces):
        yield compressor.compress(chunk)
    yield compressor.flush()


def unpacked(file: BinaryIO, packing: Packing) -> Iterator[bytes]:
    """What the file holds. Raises BundleDamaged unless it is one whole stream, and nothing else."""
    error: type[Exception] = zlib.error if packing == "gzip" else _zstd().ZstdError
    unpacker: Any = zlib.decompressobj(_GZIP) if packing == "gzip" else _zstd().ZstdDecompressor()
    at = 0
    try:
        while data := _piece(file, at):
            at += len(data)
            if unpacker.eof:
                raise BundleDamaged("there is something behind the end of the archive", _AGAIN)
            yield from _drained(unpacker, data, packing)
    except error as problem:
        raise BundleDamaged(f"the archive can't be unpacked: {problem}", _AGAIN) from problem
    if not unpacker.eof:
        raise BundleDamaged("the archive is cut off", _AGAIN)
    if unpacker.unused_data:
        raise BundleDamaged("there is something behind the end of the archive", _AGAIN)


def _piece(file: BinaryIO, at: int) -> bytes:
    """What stands at a place of the file, whoever else reads it."""
    file.seek(at)
    return file.read(CHUNK)


def _drained(unpacker: Any, data: bytes, packing: Packing) -> Iterator[bytes]:
    """What comes of some more data, in pieces of a bounded size."""
    while True:
        piece: bytes = unpacker.decompress(data, CHUNK)
        yield piece
        data = unpacker.unconsumed_tail if packing == "gzip" else b""
        more = data or len(piece) == CHUNK if packing == "gzip" else not unpacker.needs_input
        if unpacker.eof or not more:
            return


def _zstd() -> Any:
    """The module of Python 3.14, or the same one for an older Python. Raises UsageError."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise UsageError("zstd is not installed here", "install durun[zstd], or use a .tar.gz")
