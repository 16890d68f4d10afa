# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The step of the workflow that publishes the archive, with a Galaxy of the test."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import threading
import typing as t
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from support.controller import BIN, REPOSITORY, TIMEOUT

TOKEN = "galaxy-t0ken"
TASK = "6a7a9b2c-0f7e-4c43-9c6e-2f4f5f3d9a01"


@contextmanager
def galaxy() -> t.Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Yields the URL of a Galaxy that accepts everything, and the path and authorization of each request."""
    requests: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append((f"{self.command} {self.path}", self.headers["Authorization"]))
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            answers: dict[str, t.Any] = {
                "/api/": {"available_versions": {"v3": "v3/"}},
                "/api/v3/artifacts/collections/": {"task": f"/api/v3/imports/collections/{TASK}/"},
            }
            finished = {"state": "completed", "finished_at": "2026-01-01T00:00:00Z", "messages": []}
            body = json.dumps(answers.get(self.path, finished)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api/", requests
        server.shutdown()
        thread.join()


@pytest.mark.rest
def test_the_token_reaches_galaxy_and_is_no_argument(tmp_path: Path) -> None:
    workflow = yaml.safe_load((REPOSITORY / ".github/workflows/full.yml").read_text(encoding="utf-8"))
    (step,) = [step for step in workflow["jobs"]["publish"]["steps"] if step["name"] == "Publish"]
    # Otherwise the test would publish.
    assert "https://galaxy.ansible.com/" in step["env"].values()
    (tmp_path / "dist").mkdir()
    with tarfile.open(tmp_path / "dist/clawhosters-cloud-1.0.0.tar.gz", "w:gz"):
        pass
    command = tmp_path / "bin/ansible-galaxy"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >arguments\nexec {BIN}/ansible-galaxy "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    with galaxy() as (url, requests):
        given = {name: TOKEN if "secrets." in value else value for name, value in step["env"].items()}
        given = {name: url if value == "https://galaxy.ansible.com/" else value for name, value in given.items()}
        environment = {"PATH": f"{command.parent}:{os.environ['PATH']}", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
        done = subprocess.run(
            ["bash", "-e", "-c", step["run"]],
            cwd=tmp_path,
            env={**environment, **given},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("POST /api/v3/artifacts/collections/", f"Token {TOKEN}") in requests
    assert TOKEN not in (tmp_path / "arguments").read_text(encoding="utf-8")
    assert TOKEN not in done.stdout + done.stderr
