# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measures how the time of patterns and functions grows with the length of their text.

It does so in another process, which can be ended: ``python -m support.growth`` measures the collection, and
``python -m support.growth PATTERN`` a pattern. The output has a line for what is measured next, and for what is slow.
"""

from __future__ import annotations

import gc
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from ansible_collections.clawhosters.cloud.plugins.module_utils._http import (
    connection_errors,
    payment_redaction,
    responses,
    transport,
)
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.transport import Response
from ansible_collections.clawhosters.cloud.plugins.module_utils._rate.headers import parse_http_date
from ansible_collections.clawhosters.cloud.plugins.module_utils._redaction import Redactor
from ansible_collections.clawhosters.cloud.plugins.module_utils._secret_fields import find_secrets
from ansible_collections.clawhosters.cloud.plugins.module_utils._text import one_line
from ansible_collections.clawhosters.cloud.plugins.module_utils._times import parse_time
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._formatting import format_extra_variable, slugify
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._inventory.hosts import build_host_variables, safe_name

from .patterns import SIGNS, Attack, find_attacks, find_patterns, spread

STEP = 8
SHORT = 1 << 10
LONGEST = 1 << 17
"""Characters."""
MAX_GROWTH = 3.0
"""How many times as long each character may take in a text that is STEP times as long. This is 1 if the time grows with
the length, and STEP if it grows with its square."""
CPU_SECONDS = 3
"""Processor time after which the process is ended while it measures one text."""
_ATTEMPTS = 7
_CERTAIN = 0.2
"""Seconds of a measurement that need no repetition."""
_CALL = 5e-9
"""Seconds for each character. In less, it is not the characters that take the time."""
_LONGEST = 3
"""Texts that are measured in all lengths, for each function: those that are slowest in the shorter ones."""

ROOT = Path(__file__).resolve().parents[2]
Function = t.Callable[[str], object]
Target = tuple[str, Function, list[Attack]]

KEY = "oc_live_very+secret/0123456789"
SECRETS = ("\n" * 12, " \t" * 6, "\\" * 12, "&amp;" * 6, "%25" * 6, "<br>" * 6, "\u20ac" * 12, "a\\n" * 4)
"""Secrets of which the parts look like escapes, or like line breaks: the service chooses those in its responses."""
FUNCTIONS: dict[str, Function] = {
    "Redactor": Redactor([KEY]),
    "Redactor of escapes and breaks": Redactor(SECRETS),
    "redact_links": payment_redaction.redact_links,
    "redact_payment": lambda text: payment_redaction.redact_payment(Response(402, {}, text)),
    "redact_payment with a secret of the service": lambda text: payment_redaction.redact_payment(
        Response(402, {}, json.dumps({"token": text[:99], "url": text, "message": text}))
    ),
    "parse_json": responses.parse_json,
    "excerpt": responses.excerpt,
    "replace_json_controls": transport.replace_json_controls,
    "build_transport_error": lambda text: connection_errors.build_transport_error(
        "GET /x",
        connection_errors.Connection("h", 1, "http://user:password@proxy", may_have_sent=False),
        connection_errors.requests.exceptions.ProxyError(text),
    ),
    "parse_http_date": parse_http_date,
    "parse_time": parse_time,
    "find_secrets": lambda text: find_secrets({text: {text: text}}),
    "one_line": one_line,
    "safe_name": safe_name,
    "slugify": slugify,
    "build_host_variables": lambda text: build_host_variables({text: text}, "claw_"),
    "format_extra_variable": lambda text: format_extra_variable("name", text),
}
"""Functions besides patterns through which text of the service passes."""
SEEDS = (
    KEY, *SECRETS, "".join(f"\\u{ord(one):04x}" for one in KEY), "".join(f"%25{ord(one):02x}" for one in KEY),
    "&amp;#x6f;", "https://pay.example/x", '{"a":', '"\\ud83d', "\u0130", "a.", "2026-01-01T00:00:00Z",
    '{"url": "https://x", "text": "', "certificate verify failed: '", "Run this again", "$x",
)  # fmt: skip
EXAMPLES: dict[str, dict[str, object]] = {
    "plugins.module_utils._service.doctor.examination": {"address": "clawhosters.com:8443"}
}
"""Values of the variables of functions that build patterns, by module."""


def find_slow_ones(*patterns: str) -> list[str]:
    """Measures the patterns, or else the collection, in another process. Returns a line for each one that is slow."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "support.growth", *patterns]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = run.stdout.splitlines()
    slow = [line for line in lines if line.startswith("slow: ")]
    if run.returncode == -signal.SIGPROF:
        return [*slow, f"never ends: {lines[-1]}"]
    assert run.returncode == 0, run.stderr
    assert lines
    return slow


def find_targets() -> t.Iterator[Target]:
    """Yields the functions, and the patterns of the collection. Raises UnknownPatternError."""
    units = {part for seed in SEEDS for part in (seed, seed[:4], *spread(seed))} | {*SIGNS}
    attacks = [Attack("", unit, "\0") for unit in sorted(units)]
    for name, function in FUNCTIONS.items():
        yield name, function, attacks
    for path in sorted(path for folder in ("plugins", "extensions") for path in (ROOT / folder).rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for found in find_patterns(module, path.read_text(encoding="utf-8"), EXAMPLES):
            yield found.place, _apply(found.pattern), find_attacks(found.pattern)


def find_slow(function: Function, attacks: list[Attack]) -> str:
    """Returns the text that is too slow for the function, and the growth; empty if there is none."""
    middle: dict[Attack, float] = {}
    for attack in attacks:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        growth, middle[attack] = _measure_growth(function, attack, SHORT)
        if growth > MAX_GROWTH:
            return f"{attack}: {growth:.1f}"
    for attack in sorted(attacks, key=middle.__getitem__)[-_LONGEST:]:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        growth, _middle = _measure_growth(function, attack, LONGEST // STEP)
        if growth > MAX_GROWTH:
            return f"{attack}: {growth:.1f}"
    return ""


def _measure_growth(function: Function, attack: Attack, length: int) -> tuple[float, float]:
    """Returns the growth from a text of this length to one that is STEP times as long, and the time for the latter.

    The shorter one is measured STEP times, so that both take as long, and what else the machine does hits both alike.
    It only adds to a time, so the shortest of several counts.
    """
    short, long = attack.text(length), attack.text(length * STEP)
    times = [math.inf, math.inf]
    for _attempt in range(_ATTEMPTS):
        times[0] = min(times[0], _measure(function, short, STEP) / len(short) / STEP)
        times[1] = min(times[1], _measure(function, long, 1) / len(long))
        growth = times[1] / max(times[0], _CALL)
        if growth < MAX_GROWTH / 2 or times[1] * len(long) > _CERTAIN:
            break
    return growth, times[1]


def _measure(function: Function, text: str, count: int) -> float:
    start = time.thread_time()
    for _call in range(count):
        function(text)
    return time.thread_time() - start


def _apply(pattern: re.Pattern[str]) -> Function:
    def apply(text: str) -> None:
        pattern.fullmatch(text)
        pattern.sub("", text)

    return apply


def main() -> None:
    """Measures, and prints."""
    gc.disable()
    given = map(re.compile, sys.argv[1:])
    targets = [(one.pattern, _apply(one), find_attacks(one)) for one in given] or find_targets()
    for name, function, attacks in targets:
        print(name, flush=True)
        if found := find_slow(function, attacks):
            print(f"slow: {name}, {found}", flush=True)


if __name__ == "__main__":
    main()
