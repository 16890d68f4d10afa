# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of a controller's API that ansible-rulebook calls to start a job template, and the jobs behind it."""

from __future__ import annotations

import contextlib
import json
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOKEN = "a-token-of-the-controller"
"""The token that ansible-rulebook must send."""
TYPES = {"integer": int, "text": str}
"""Python types of the answers to survey questions."""


class JobTemplate:
    """One job template of one organization. ``run`` gets the variables of each job and returns True if it succeeded."""

    def __init__(self, definition: dict[str, t.Any], run: t.Callable[[dict[str, t.Any]], bool]) -> None:
        self.definition = definition
        self.jobs: list[str] = []
        self.launches: list[dict[str, t.Any]] = []
        self._run = run

    def accepted(self, extra_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Returns the variables of a job. As in a controller, a launch sets only what the survey asks for."""
        spec = self.definition["survey_spec"]["spec"]
        answers = {question["variable"]: extra_vars[question["variable"]] for question in spec}
        for question in spec:
            answer = answers[question["variable"]]
            assert isinstance(answer, TYPES[question["type"]]), answers
            assert not isinstance(answer, bool), answers
        return {**self.definition["extra_vars"], **answers}

    def answer(self, method: str, address: str, body: t.Any) -> tuple[int, object]:
        """Returns the status and the body of a response."""
        path, query = urlsplit(address).path, parse_qs(urlsplit(address).query)
        if method == "POST" and path == "/api/v2/job_templates/5/launch/":
            self.launches.append(body)
            succeeded = self._run(self.accepted(body["extra_vars"]))
            self.jobs.append("successful" if succeeded else "failed")
            return 201, {"id": len(self.jobs), "url": f"/api/v2/jobs/{len(self.jobs)}/"}
        if path == "/api/v2/config/":
            return 200, {"version": "4.6.0"}
        if path == "/api/v2/jobs/":
            numbers = [int(number) for number in query["id__in"][0].split(",")]
            return 200, page({"id": number, "status": self.jobs[number - 1], "artifacts": {}} for number in numbers)
        if path == "/api/v2/unified_job_templates/":
            named = {
                "id": 5,
                "type": "job_template",
                "name": self.definition["name"],
                "summary_fields": {"organization": {"name": "Default"}},
                "related": {"launch": "/api/v2/job_templates/5/launch/"},
                **{f"ask_{what}_on_launch": False for what in ("limit", "labels", "inventory", "variables")},
            }
            return 200, page([named] if query["name"] == [named["name"]] else [])
        return 404, {"detail": "Not found."}


def page(results: t.Iterable[object]) -> dict[str, object]:
    """Returns a list as the controller's API shows it."""
    entries = list(results)
    return {"count": len(entries), "next": None, "results": entries}


@contextlib.contextmanager
def controller_api(template: JobTemplate) -> t.Iterator[str]:
    """Serves the API with this job template, and yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Authorization") == f"Bearer {TOKEN}":
                status, content = template.answer(self.command, self.path, json.loads(raw or b"null"))
            else:
                status, content = 401, {"detail": "Authentication credentials were not provided."}
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = respond

        def log_message(self, *_message: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
