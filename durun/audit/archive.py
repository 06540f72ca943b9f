"""An archive that is the same, byte for byte, for the same files: sorted, without owners, with one time for all.

So a proof packs what it has unpacked once more, and sees each byte that is not as durun wrote it, also between files.
"""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal, NamedTuple, TypeAlias

from durun.errors import BundleDamaged, UsageError

Packing: TypeAlias = Literal["gzip", "zstd"]

MAGIC: Mapping[Packing, bytes] = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
LARGEST = 4 << 30
"""Bytes that an archive may have when it is unpacked: a small file may claim to be a huge one."""

_GZIP = 16 + zlib.MAX_WBITS
_AGAIN = "get the bundle anew from where it was made"


class Archive(NamedTuple):
    """Files by name, in one folder; `time`: seconds since the epoch, of all of them."""

    folder: str
    time: int
    files: Mapping[str, bytes]


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


def pack(archive: Archive, packing: Packing) -> bytes:
    """The archive as one file."""
    return _compress(_tar(archive), packing)


def unpack(content: bytes) -> tuple[Archive, Packing]:
    """What is in an archive that is as `pack` writes it, but for its compression. Raises BundleDamaged, UsageError."""
    packing: Packing | None = next((kind for kind, magic in MAGIC.items() if content.startswith(magic)), None)
    if packing is None:
        raise BundleDamaged("this is no bundle: neither gzip nor zstd", _AGAIN)
    tar = _decompress(content, packing)
    try:
        archive = _read(tar)
    except (tarfile.TarError, ValueError, UnicodeError, OverflowError, EOFError) as error:
        raise BundleDamaged(f"the archive can't be read: {error}", _AGAIN) from error
    again = _tar(archive)
    if again != tar:
        at = next((at for at, (one, other) in enumerate(zip(again, tar, strict=False)) if one != other), len(again))
        raise BundleDamaged(f"the archive is not as durun writes it, from byte {at} of the unpacked one", _AGAIN)
    return archive, packing


def is_packed_as(content: bytes, archive: Archive, packing: Packing) -> bool:
    """Whether the file is, byte for byte, what packing the archive here gives."""
    return pack(archive, packing) == content


def _tar(archive: Archive) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(archive.files):
            entry = tarfile.TarInfo(f"{archive.folder}/{name}")
            entry.size, entry.mtime, entry.mode = len(archive.files[name]), archive.time, 0o644
            tar.addfile(entry, io.BytesIO(archive.files[name]))
    return out.getvalue()


def _read(tar: bytes) -> Archive:
    files: dict[str, bytes] = {}
    folders, times = set(), set()
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as opened:
        for entry in opened:
            stream = opened.extractfile(entry) if entry.isreg() else None
            folder, _, name = entry.name.partition("/")
            if stream is None or not name or name in files or ".." in name.split("/"):
                raise ValueError(f"{entry.name!r} does not belong into it")
            files[name] = stream.read()
            folders.add(folder)
            times.add(int(entry.mtime))
    if len(folders) != 1 or len(times) != 1:
        raise ValueError("it is not one folder of one time")
    return Archive(folders.pop(), times.pop(), files)


def _compress(content: bytes, packing: Packing) -> bytes:
    if packing == "gzip":
        packer = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
        return packer.compress(content) + packer.flush()
    zstd = _zstd()
    options = {zstd.CompressionParameter.compression_level: 19, zstd.CompressionParameter.checksum_flag: 1}
    packed: bytes = zstd.compress(content, options=options)
    return packed


def _decompress(content: bytes, packing: Packing) -> bytes:
    error: type[Exception] = zlib.error if packing == "gzip" else _zstd().ZstdError
    unpacker: Any = zlib.decompressobj(_GZIP) if packing == "gzip" else _zstd().ZstdDecompressor()
    try:
        unpacked: bytes = unpacker.decompress(content, LARGEST)
    except error as problem:
        raise BundleDamaged(f"the archive can't be unpacked: {problem}", _AGAIN) from problem
    if not unpacker.eof:
        raise BundleDamaged("the archive is cut off, or too large", _AGAIN)
    if unpacker.unused_data:
        raise BundleDamaged("there is something behind the end of the archive", _AGAIN)
    return unpacked


def _zstd() -> Any:
    """The module of Python 3.14, or the same one for an older Python. Raises UsageError."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise UsageError("zstd is not installed here", "install durun[zstd], or use a .tar.gz")
