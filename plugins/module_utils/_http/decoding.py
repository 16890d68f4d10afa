# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads and decompresses the body of a response, up to a size limit."""

from __future__ import annotations

import contextlib
import gzip
import io
import re
import time
import zlib

from .._text import one_line, replace_controls

# transport.require_library reports a missing library before anything is sent.
with contextlib.suppress(ImportError):
    import requests

CHUNK_SIZE = 1 << 16
MAX_BODY_BYTES = 1 << 23
"""Bytes of a decompressed body. A page of 100 instances has 50 thousand; without pagination, 15 000 instances fit."""
_ESCAPED_CONTROL = re.compile(
    r"\\(?:(?P<backslash>\\)|[bf]|(?:r|u000[dD])(?!\\(?:n|u000[aA]))"
    r"|u(?:00(?:0[0-8bcefBCEF]|1[0-9a-fA-F]|7[fF]|[89][0-9a-fA-F])|061[cC]|20(?:0[efEF]|2[a-eA-E]|6[6-9])))"
)
"""The same characters as ``replace_controls`` replaces, as JSON escapes them. A backslash is matched to skip it."""
MAX_OBJECTS = 200_000
"""Objects and lists in a body. In memory, an empty one takes thirty times its two characters."""


def decode_body(response: requests.Response, timeout: float) -> str:
    """Returns the body as text.

    ``timeout`` is for the whole body, while that of requests is for each read. Raises the errors of urllib3,
    ReadTimeout, and ContentDecodingError for a body that is too large or has an unsupported encoding.
    """
    end = time.monotonic() + timeout
    # urllib3 1.26 accepts a truncated body by default.
    response.raw.enforce_content_length = True
    # urllib3 1.26 has no read1; its read waits for a whole chunk.
    read = getattr(response.raw, "read1", response.raw.read)
    content = bytearray()
    try:
        is_compressed = is_gzip(response.headers.get("Content-Encoding", ""))
        while chunk := read(CHUNK_SIZE, decode_content=False):
            content += chunk
            _require_small(content)
            if time.monotonic() > end:
                raise requests.exceptions.ReadTimeout
        if is_compressed:
            content = bytearray(decompress(content))
            _require_small(content)
    except BaseException:
        response.close()
        raise
    text = content.decode("utf-8-sig", errors="replace")
    if text.count("{") + text.count("[") > MAX_OBJECTS:
        raise requests.exceptions.ContentDecodingError(f"more than {MAX_OBJECTS} objects")
    return text


def _require_small(content: bytearray) -> None:
    if len(content) > MAX_BODY_BYTES:
        raise requests.exceptions.ContentDecodingError(f"more than {MAX_BODY_BYTES >> 20} MiB")


def replace_json_controls(body: str) -> str:
    """Returns the text of a body with U+FFFD for each control character, also where JSON escapes it."""
    if not body.isprintable():
        # JSON may have these between its values.
        body = replace_controls(body.replace("\r\n", "\n").replace("\r", "\n"))
    if "\\" not in body:
        return body
    return _ESCAPED_CONTROL.sub(lambda match: match[0] if match["backslash"] else "\N{REPLACEMENT CHARACTER}", body)


def is_gzip(encoding: str) -> bool:
    """Returns True for gzip, False for no encoding. Raises ContentDecodingError for any other Content-Encoding."""
    codings = [name for part in encoding.split(",") if (name := part.strip().lower()) not in ("", "identity")]
    if codings in ([], ["gzip"], ["x-gzip"]):
        return bool(codings)
    raise requests.exceptions.ContentDecodingError(f"Content-Encoding {one_line(encoding)}")


def decompress(body: bytes | bytearray) -> bytes:
    """Decompresses gzip, up to one byte more than a body may have. Raises ContentDecodingError.

    urllib3 could make 64 MiB of a single chunk.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as stream:
            return stream.read(MAX_BODY_BYTES + 1)
    except EOFError:
        raise requests.exceptions.ContentDecodingError("its end is missing") from None
    except (OSError, zlib.error):
        raise requests.exceptions.ContentDecodingError("invalid gzip") from None
