# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Command line: `python -m simulator`."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

OLDEST = (3, 11)
if sys.version_info < OLDEST:
    sys.exit(f"The simulator needs Python 3.11 or newer. {sys.executable} is Python {sys.version.split()[0]}.")

try:
    import yaml

    from simulator.errors import BadControl
    from simulator.keys import REHEARSAL_KEY
    from simulator.server import listen, serve
    from simulator.service import Seed, Service
    from simulator.switches import plain
except ModuleNotFoundError as error:
    sys.exit(
        f"The simulator needs {error.name}, which {sys.executable} lacks. Give it a virtual environment of its own:\n"
        "python3 -m venv ~/simulator\n. ~/simulator/bin/activate\npip install fastapi uvicorn pyyaml"
    )

USAGE_ERROR = 2


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the options that README.md lists."""
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="Simulates the ClawHosters API. The first line on standard output is its base URL.",
        epilog=f"Keys such as {REHEARSAL_KEY} are valid: oc_live_ and at least eight characters. "
        "The control API is under /_sim/.",
    )
    parser.add_argument("--port", type=int, default=0, help="default 0: any free port")
    parser.add_argument(
        "--host", default="127.0.0.1", help="default %(default)s; the control API needs no key, so don't expose it"
    )
    world = parser.add_mutually_exclusive_group()
    world.add_argument(
        "--instances", type=int, default=60, metavar="N", help="number of instances to generate (default %(default)s)"
    )
    world.add_argument("--state", type=Path, metavar="FILE.yml", help="load the initial state from this file")
    parser.add_argument("--rate-limit", type=int, metavar="N", help="requests per key and window (default 100)")
    parser.add_argument("--rate-window", type=float, metavar="SECONDS", help="default 60")
    parser.add_argument("--transition-seconds", type=float, metavar="SECONDS", help="duration of an action (default 2)")
    parser.add_argument("--switch", action="append", default=[], metavar="NAME=VALUE", help="set a switch; repeatable")
    parser.add_argument("--plain", action="store_true", help="serve what the overview of the API names, and no more")
    parser.add_argument("--key", action="append", default=[], help="accept only this key; repeatable")
    parser.add_argument("--verbose", action="store_true", help="log each request to standard error")
    parser.add_argument("--exit-with-parent", action="store_true", help="exit when standard input is closed")
    return parser.parse_args(arguments)


def seed_from(options: argparse.Namespace) -> Seed:
    """Returns the initial state. Raises BadControl."""
    switches: dict[str, Any] = {}
    for setting in options.switch:
        name, equals, value = setting.partition("=")
        if not equals:
            raise BadControl(f"--switch wants NAME=VALUE, not {setting!r}")
        switches[name.replace("-", "_")] = _yaml(value, f"--switch {name}")
    shorthands = {
        "rate_limit": options.rate_limit,
        "rate_window_seconds": options.rate_window,
        "transition_seconds": options.transition_seconds,
    }
    switches |= {name: value for name, value in shorthands.items() if value is not None}
    state = {"instances": options.instances} if options.state is None else _state(options.state)
    return Seed(state, plain(**switches) if options.plain else switches, tuple(options.key))


def _state(path: Path) -> Mapping[str, Any]:
    try:
        state = _yaml(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadControl(f"{path}: {error}") from error
    if not isinstance(state, Mapping):
        raise BadControl(f"{path}: a state is a mapping with instances, backups and so on")
    return state


def _yaml(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadControl(f"{where}: invalid YAML: {' '.join(str(error).split())}") from error


def main() -> int:
    """Serves until it is stopped and returns the exit code."""
    options = parse()
    try:
        service = Service(seed_from(options))
        listener = listen(options.host, options.port)
    except BadControl as error:
        print(f"simulator: {error}", file=sys.stderr)
        return USAGE_ERROR
    except (OSError, OverflowError) as error:
        print(f"simulator: can't listen on {options.host}, port {options.port}: {error}", file=sys.stderr)
        return USAGE_ERROR
    with contextlib.suppress(KeyboardInterrupt):
        serve(service, listener, options.host, options.verbose, options.exit_with_parent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
