# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validation of the connection options. No message contains a key."""

from __future__ import annotations

import pytest

from ansible_collections.clawhosters.cloud.plugins.module_utils._errors import SettingsError
from ansible_collections.clawhosters.cloud.plugins.module_utils._http.settings import parse_settings, validate_url

KEY = "oc_live_0123456789"


def settings(warnings=None, **params):
    """Returns the settings in ``params``. Appends warnings to the given list."""
    return parse_settings(params, (warnings if warnings is not None else []).append)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:80/api", "http://127.0.0.1/api"),
        ("http://[::1]:8100/api/v1", "http://[::1]:8100/api/v1"),
        ("http://localhost:8100/api/v1", "http://localhost:8100/api/v1"),
    ],
)
def test_http_is_used_on_this_machine(url, expected):
    assert validate_url(url) == expected


@pytest.mark.parametrize(
    "host", ["clawhosters.com", "127.0.0.1.example.com", "10.0.0.1", "0.0.0.0", "[::ffff:127.0.0.1]"]
)
def test_http_to_another_machine_is_refused(host):
    with pytest.raises(SettingsError, match="http would send the key unencrypted"):
        validate_url(f"http://{host}/api/v1")


def test_a_key_is_stripped_and_never_shows_when_settings_are_printed():
    given = settings(api_key=f"  {KEY}\n")
    assert given.api_key == KEY
    assert KEY not in repr(given)


@pytest.mark.parametrize("key", ["oc_live_01\n23456789", "oc_live_ключ23456789"])
def test_a_key_that_cannot_stand_in_a_header_is_refused_without_showing_it(key):
    with pytest.raises(SettingsError) as refusal:
        settings(api_key=key)
    assert "23456789" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_another_prefix_is_a_warning_that_does_not_show_the_key():
    warnings = []
    assert settings(warnings, api_key="sk_0123456789").api_key == "sk_0123456789"
    assert len(warnings) == 1
    assert "0123456789" not in warnings[0]


def test_a_key_file_is_read_and_one_that_others_can_read_is_a_warning(tmp_path):
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n", encoding="utf-8")
    file.chmod(0o600)
    warnings = []
    assert settings(warnings, api_key_file=str(file)).api_key == KEY
    assert warnings == []
    # An editor on Windows has written it.
    file.write_bytes(b"\xef\xbb\xbf" + KEY.encode() + b"\r\n")
    assert settings(warnings, api_key_file=str(file)).api_key == KEY
    file.chmod(0o640)
    assert settings(warnings, api_key_file=str(file)).api_key == KEY
    assert "chmod 600" in warnings[0]


@pytest.mark.parametrize("content", [b"", b" \n", b"x" * 5000, b"\xff\xfe\x00oc_live_12"])
def test_a_key_file_that_holds_no_key_is_refused(tmp_path, content):
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(SettingsError):
        settings(api_key_file=str(file))


def test_a_key_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(SettingsError, match="can't be read: No such file"):
        settings(api_key_file=str(tmp_path / "none"))
    with pytest.raises(SettingsError, match="can't be read: Is a directory"):
        settings(api_key_file=str(tmp_path))


@pytest.mark.parametrize(
    ("name", "value"),
    [("timeout", 0), ("timeout", float("nan")), ("timeout", 1.1e6), ("retry_timeout", -1), ("page_size", 0)],
)
def test_numbers_that_make_no_sense_are_refused_by_name(name, value):
    with pytest.raises(SettingsError, match=name):
        settings(api_key=KEY, **{name: value})


def test_a_ca_bundle_must_exist(tmp_path):
    with pytest.raises(SettingsError, match="ca_path"):
        settings(api_key=KEY, ca_path=str(tmp_path / "ca.pem"))


@pytest.mark.parametrize("option", ["api_key_file", "ca_path"])
def test_a_path_without_a_home_folder_is_no_file_in_a_folder_of_that_name(tmp_path, monkeypatch, option):
    for name in ("~", "~nobody-here"):
        path = tmp_path / name / "file"
        path.parent.mkdir()
        path.write_text(KEY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "~")
    for path in ("~/file", "~nobody-here/file", f"{tmp_path}/~/file"):
        with pytest.raises(SettingsError, match=f"{option} is {path}, and no home folder can be found for ~"):
            settings(**{"api_key": None if option == "api_key_file" else KEY, option: path})
