# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The body of an answer: unpacked and read, up to a size."""

from __future__ import annotations

import contextlib
import time
import typing as t
import zlib

from .._errors import one_line

# transport.py says, before anything is sent, that it is missing.
with contextlib.suppress(ImportError):
    import requests

CHUNK_SIZE = 1 << 16
MAX_BODY_BYTES = 1 << 23
"""Bytes of an answer that are read, once it is unpacked. A page of 100 instances has 50 thousand; a service that does
not split its lists could send 15 000 instances in one answer."""
MAX_OBJECTS = 200_000
"""Objects and lists in an answer. In memory, an empty one takes thirty times its two characters."""


def decode_body(response: requests.Response, timeout: float) -> str:
    """Returns the body as text.

    ``timeout`` holds for all of it: requests would wait as long for each byte. Raises what urllib3 does, ReadTimeout,
    and ContentDecodingError for a body that is too large or packed in an unknown way.
    """
    end = time.monotonic() + timeout
    # urllib3 1.26 takes a body that ends too soon for a whole one, unless it is told not to.
    response.raw.enforce_content_length = True
    # urllib3 1.26 has no read that returns what is there; it waits for a whole piece.
    read = getattr(response.raw, "read1", response.raw.read)
    content = bytearray()
    try:
        unpack = build_decoder(response.headers.get("Content-Encoding", ""))
        while piece := read(CHUNK_SIZE, decode_content=False):
            for part in unpack(piece):
                content += part
                if len(content) > MAX_BODY_BYTES:
                    raise requests.exceptions.ContentDecodingError(f"more than {MAX_BODY_BYTES >> 20} MiB")
            if time.monotonic() > end:
                raise requests.exceptions.ReadTimeout
        if unpack.is_truncated:
            raise requests.exceptions.ContentDecodingError("its end is missing")
    except BaseException:
        response.close()
        raise
    text = content.decode("utf-8-sig", errors="replace")
    if text.count("{") + text.count("[") > MAX_OBJECTS:
        raise requests.exceptions.ContentDecodingError(f"more than {MAX_OBJECTS} objects")
    return text


class _IdentityDecoder:
    """A body that is not packed."""

    is_truncated = False

    def __call__(self, piece: bytes) -> t.Iterator[bytes]:
        yield piece


class _GzipDecoder:
    """Unpacks gzip in parts of a bounded size: urllib3 would make 64 MiB of one piece before anybody could count."""

    def __init__(self) -> None:
        self._stream: t.Any = None
        self._has_one = False

    @property
    def is_truncated(self) -> bool:
        return self._stream is not None

    def __call__(self, piece: bytes) -> t.Iterator[bytes]:
        """Yields the content of ``piece``, at most PIECE bytes at a time. Raises ContentDecodingError."""
        while piece:
            stream = self._stream = self._stream or zlib.decompressobj(16 + zlib.MAX_WBITS)
            try:
                part = stream.decompress(piece, CHUNK_SIZE)
            except zlib.error:
                if self._has_one:
                    # Padding, which all who unpack gzip pass over.
                    self._stream = None
                    return
                raise requests.exceptions.ContentDecodingError("no valid gzip") from None
            piece = stream.unconsumed_tail
            if stream.eof:
                # A body may have several streams, one after another.
                piece, self._stream, self._has_one = stream.unused_data, None, True
            yield part


def build_decoder(encoding: str) -> _IdentityDecoder | _GzipDecoder:
    """For a Content-Encoding. Raises ContentDecodingError for any but gzip: one within another could grow for ever."""
    codings = [name for part in encoding.split(",") if (name := part.strip().lower()) not in ("", "identity")]
    if not codings:
        return _IdentityDecoder()
    if codings in (["gzip"], ["x-gzip"]):
        return _GzipDecoder()
    raise requests.exceptions.ContentDecodingError(f"Content-Encoding {one_line(encoding)}")
