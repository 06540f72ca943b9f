"""An archive that is the same, byte for byte, for the same files: sorted, without owners, with one time for all.

It is written and read as a stream: what is large never is in memory. A proof packs what it has read once more, and so
sees each byte that is not as durun wrote it, also between files.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple, TypeAlias, cast

from durun.audit.packing import CHUNK, Packing, Stream, compressed, packing_in, unpacked
from durun.errors import BundleDamaged

LARGE = "evidence/"
"""The folder of files that are not kept in memory."""
MOST_KEPT = 1 << 30
"""Bytes of all other files: a small archive may claim to be a huge one."""

_BLOCK, _RECORD = 512, 10240
_AGAIN = "get the bundle anew from where it was made"


class Large(NamedTuple):
    """A file that is not in memory. `path`: where it is to be read, when an archive is made."""

    size: int
    sha256: str
    path: Path | None = None


Content: TypeAlias = bytes | Large


class Archive(NamedTuple):
    """Files by name, in one folder; `time`: seconds since the epoch, of all of them."""

    folder: str
    time: int
    files: Mapping[str, Content]


def digest_of(content: Content) -> str:
    """The SHA-256 of a file, in hex."""
    return content.sha256 if isinstance(content, Large) else sha256(content).hexdigest()


def pack(archive: Archive, packing: Packing) -> Iterator[bytes]:
    """The archive as one file, piece by piece. Raises OSError, and BundleDamaged for a large file that was changed."""
    return compressed(_tar(archive), packing)


def unpack(file: BinaryIO) -> tuple[Archive, Packing]:
    """What is in an archive that is as `pack` writes it, but for its compression. Raises BundleDamaged, UsageError."""
    packing = packing_in(file)
    try:
        archive = _read(Stream(unpacked(file, packing)))
    except (tarfile.TarError, ValueError, UnicodeError, OverflowError, EOFError) as error:
        raise BundleDamaged(f"the archive can't be read: {error}", _AGAIN) from error
    _require_layout(archive, Stream(unpacked(file, packing)))
    return archive, packing


def _layout(archive: Archive) -> Iterator[Content]:
    """The archive from its first byte to the last: a Large stands for its content."""
    length = 0
    for name in sorted(archive.files):
        content = archive.files[name]
        entry = tarfile.TarInfo(f"{archive.folder}/{name}")
        entry.size = content.size if isinstance(content, Large) else len(content)
        entry.mtime, entry.mode = archive.time, 0o644
        header, padding = entry.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape"), bytes(-entry.size % _BLOCK)
        yield from (header, content, padding)
        length += len(header) + entry.size + len(padding)
    end = 2 * _BLOCK
    yield bytes(end + -(length + end) % _RECORD)


def _tar(archive: Archive) -> Iterator[bytes]:
    for part in _layout(archive):
        if isinstance(part, Large):
            yield from _content(part)
        else:
            yield part


def _content(part: Large) -> Iterator[bytes]:
    assert part.path is not None
    digest, size = sha256(), 0
    with part.path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            yield chunk
    if (size, digest.hexdigest()) != (part.size, part.sha256):
        raise BundleDamaged(f"{part.path} was changed since it was taken", "nothing was exported")


def _read(stream: Stream) -> Archive:
    files: dict[str, Content] = {}
    folders, times, kept = set(), set(), 0
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|", errors="surrogateescape") as opened:
        for entry in opened:
            content = opened.extractfile(entry) if entry.isreg() else None
            folder, _, name = entry.name.partition("/")
            if content is None or not name or name in files or ".." in name.split("/"):
                raise ValueError(f"{entry.name!r} does not belong into it")
            kept += 0 if name.startswith(LARGE) else entry.size
            if kept > MOST_KEPT:
                raise ValueError("it is too large")
            files[name] = _large(content) if name.startswith(LARGE) else content.read()
            folders.add(folder)
            times.add(int(entry.mtime))
    if len(folders) != 1 or len(times) != 1:
        raise ValueError("it is not one folder of one time")
    return Archive(folders.pop(), times.pop(), files)


def _large(content: IO[bytes]) -> Large:
    digest, size = sha256(), 0
    while chunk := content.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return Large(size, digest.hexdigest())


def _require_layout(archive: Archive, stream: Stream) -> None:
    """Raise BundleDamaged unless the unpacked archive is, byte for byte, laid out as `pack` does."""
    at = 0
    for part in _layout(archive):
        size = part.size if isinstance(part, Large) else len(part)
        if isinstance(part, Large):
            stream.skip(size)
        elif stream.read(size) != part:
            raise BundleDamaged(f"the archive is not as durun writes it, behind byte {at} of the unpacked one", _AGAIN)
        at += size
    if stream.read(1):
        raise BundleDamaged("there is something behind the end of the archive", _AGAIN)
