# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module as a process of its own: what it prints and logs, and the environment variables that it knows."""

from __future__ import annotations

import json
import re
import sys
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils import basic
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.clawhosters.cloud.plugins.module_utils._http import connections
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.arguments import KNOWN_VARIABLES
from ansible_collections.clawhosters.cloud.plugins.module_utils._module.runner import (
    ModuleContext,
    ModuleRunner,
    run_module,
)
from ansible_collections.clawhosters.cloud.plugins.modules import claw_addon, claw_instance

KEY = "oc_live_9f8e7d6c5b4a39281706"
SECRET = "sk-very-secret-1234567"
MASKED = {"provider_key": "********", "pin": "********", "tier": "eco"}


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that modules write to the system's log; and no key in the environment."""
    written: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda _self, *message, **more: written.append(f"{message} {more}"))
    for name in ("CLAWHOSTERS_API_KEY", "CLAWHOSTERS_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    return written


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> t.Callable[[dict[str, t.Any]], None]:
    """Hands options to the next module, in a file, as every ansible-core takes them."""

    def give(options: dict[str, t.Any]) -> None:
        file = tmp_path / "options.json"
        file.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
        monkeypatch.setattr(sys, "argv", ["module", str(file)])
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", None)

    return give


def test_a_secret_known_only_to_the_module_is_neither_printed_nor_logged(log, given, capsys):
    config = {"provider_key": SECRET, "pin": "77", "tier": "eco"}
    given({"id": 1, "config": config, "write_only": ["pin"]})
    with pytest.raises(SystemExit):
        claw_addon.main()
    printed = capsys.readouterr().out
    assert SECRET not in printed + str(log)
    # From ansible-core 2.21 on modules return their options only where that is asked for.
    invocation = json.loads(printed).get("invocation", {"module_args": {"config": MASKED}})
    assert invocation["module_args"]["config"] == MASKED
    assert log == []


@pytest.mark.parametrize(
    ("version", "urllib3", "fault", "found"),
    [
        ("", "", ModuleNotFoundError("No module named 'requests'"), "has none that can be imported (No module named"),
        ("2.27.1", "1.26.5", None, "has 2.27.1 with urllib3 1.26.5."),
        ("2.28.1", "1.25.11", None, "has 2.28.1 with urllib3 1.25.11."),
    ],
    ids=["missing", "too old", "its urllib3"],
)
def test_an_unusable_library_is_told_before_a_missing_key(monkeypatch, version, urllib3, fault, found):
    monkeypatch.setattr(connections, "REQUESTS_IMPORT_ERROR", fault)
    monkeypatch.setattr(connections.requests, "__version__", version)
    monkeypatch.setattr(connections.urllib3, "__version__", urllib3)
    result = ModuleRunner({}, False).run(claw_instance.run)
    assert result["failed"] is True
    assert result["msg"].startswith("The Python library requests 2.28 or newer, with urllib3 1.26 or 2, is needed")
    assert found in result["msg"]
    assert "Install or upgrade both for that Python: pip install requests urllib3" in result["msg"]


def fail_with_secrets(context: ModuleContext) -> t.NoReturn:
    """Raises what nobody expects, with the secrets in the message and in the source line that tracebacks show."""
    try:
        raise KeyError(context.client.settings.api_key)
    except KeyError as error:
        raise RuntimeError(f"{SECRET!r} {json.dumps(context.params['config'])}") from error


def test_a_bug_has_a_traceback_without_secrets(log):
    params = {"config": {"provider_key": SECRET}, "api_key": KEY, "api_url": "https://127.0.0.1"}
    result = ModuleRunner(params, False, secrets={SECRET}).run(fail_with_secrets)
    assert result["failed"] is True
    assert result["msg"].startswith("Bug in the collection, please report it: RuntimeError: ")
    assert result["exception"].startswith("Traceback (most recent call last)")
    assert "in fail_with_secrets" in result["exception"]
    assert "direct cause" in result["exception"]
    for secret in (SECRET, KEY):
        assert secret not in json.dumps(result)


@pytest.mark.parametrize("sent", [0, 2])
def test_a_bug_after_a_change_was_sent_is_told_as_changed(sent):
    def fail(context: ModuleContext) -> t.NoReturn:
        context.client.stats.changes += sent
        raise RuntimeError

    assert ModuleRunner({"api_key": KEY}, False).run(fail)["changed"] is bool(sent)


def test_a_module_process_prints_a_bug_without_secrets(log, given, capsys):
    given({"id": 1, "config": {"provider_key": SECRET, "tier": "eco"}, "api_key": KEY})
    with pytest.raises(SystemExit):
        run_module(claw_addon.SPEC, fail_with_secrets)
    printed = capsys.readouterr().out
    assert "Bug in the collection, please report it: RuntimeError: " in json.loads(printed)["msg"]
    for secret in (SECRET, KEY):
        assert secret not in printed


def test_an_expected_error_has_no_traceback(log):
    result = ModuleRunner({}, False).run(claw_instance.run)
    assert result["failed"] is True
    assert "exception" not in result


ROOT = Path(__file__).resolve().parents[5]


def test_all_variables_that_the_source_names_are_known() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "plugins").rglob("*.py")]
    assert set(re.findall(r"\bCLAWHOSTERS_[A-Z_]+\b", "\n".join(sources))) == set(KNOWN_VARIABLES)
