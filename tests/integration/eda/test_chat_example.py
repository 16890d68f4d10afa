# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example that posts changes to a chat, with a receiver in this process: text of the service stays text there."""

from __future__ import annotations

import html
import json
import re
import shutil
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from simulator.handle import Simulator
from support.controller import REPOSITORY, Controller, Run, extra_variables
from support.rulebooks import rulebook

FOLDER = REPOSITORY / "examples/chat"
SECRET = "s3cret-hook"
HOSTILE = "<!channel> @all @room *b* [x](http://e.example) {{ 7 * 7 }}\n<b>&amp;`:bell:`"
ZERO_WIDTH = "\u200b"
CHANGE = {"chat_id": 7, "chat_event": "health_changed", "chat_is": "unhealthy"}
ACCOUNT = f"account user@{ZERO_WIDTH}example.com (id 1)."
CLEAN = HOSTILE.replace("\n", " ").replace("@", f"@{ZERO_WIDTH}")
ESCAPED = CLEAN.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class Receiver(ThreadingHTTPServer):
    """Keeps what was posted to it, and answers with ``status``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.posted: list[dict[str, t.Any]] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{SECRET}"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: t.Any) -> None:
        pass


@pytest.fixture
def receiver(simulator: Simulator) -> t.Iterator[Receiver]:
    simulator.reset(state={"instances": [{"id": 7, "name": HOSTILE, "health_status": "unhealthy"}]})
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def post(controller: Controller, receiver: Receiver, **variables: t.Any) -> Run:
    given = {**CHANGE, **variables}
    command = ("ansible-playbook", str(FOLDER / "post_change.yml"), *extra_variables(**given), "-vvv")
    run = controller.run(*command, CHAT_WEBHOOK_URL=receiver.url)
    assert SECRET not in run.screen
    return run


@pytest.mark.rest
def test_a_hostile_name_is_text_in_each_chat(controller: Controller, receiver: Receiver) -> None:
    example = str(FOLDER / "post_change.yml")
    at = {"chat_at": "2026-11-29T03:44:14.120+00:00"}
    gone = {"chat_id": 9, "chat_event": "disappeared", "chat_is": "pending_configuration", **at}
    posts = [*({**CHANGE, **at, "chat_form": form} for form in ("slack", "mattermost", "matrix")), gone]
    plays = [{"import_playbook": example, "vars": variables} for variables in posts]
    run = controller.playbook(plays, CHAT_WEBHOOK_URL=receiver.url)
    assert run.rc == 0, run.screen
    slack, mattermost, matrix, disappeared = receiver.posted
    seen = "(seen 2026-11-29 03:44:14 UTC)"
    message = f"{ESCAPED} (id 7) changed, its health is now unhealthy {seen}"
    assert slack["text"] == slack["blocks"][0]["text"]["text"] == message
    assert slack["blocks"][0]["text"]["type"] == "plain_text"
    assert slack["mrkdwn"] is slack["link_names"] is False
    assert re.sub(r"\\(?=[^\w\s])", "", mattermost["text"]) == message
    assert not re.search(r"(?<!\\)[*_\[\](){}`~#:]", mattermost["text"])
    assert matrix == {"text": message.replace(ESCAPED, CLEAN), "html": message}
    assert disappeared["text"] == f"An instance (id 9) is gone, its status was pending configuration {seen}"


@pytest.mark.rest
@pytest.mark.parametrize("form", ["mattermost", "matrix"])
def test_the_nightly_check_posts_what_it_found_and_fails(
    simulator: Simulator, controller: Controller, receiver: Receiver, form: str
) -> None:
    simulator.reset(state={"balance": 0, "instances": [{"id": 7, "name": HOSTILE, "health_status": "unhealthy"}]})
    command = ("ansible-playbook", str(REPOSITORY / "examples/nightly.yml"), *extra_variables(chat_form=form))
    run = controller.run(*command, CHAT_WEBHOOK_URL=receiver.url)
    assert run.rc == 2
    assert SECRET not in run.screen
    assert run.says("3 findings: 1 low_balance, 1 attention, 1 no_backup. Service 127.0.0.1:")
    host = simulator.origin.removeprefix("http://")
    (posted,) = receiver.posted
    text = posted["text"] if form == "matrix" else html.unescape(posted["text"])
    lines = (re.sub(r"\\(?=[^\w\s]|_)", "", text) if form == "mattermost" else text).splitlines()
    assert [line.replace(CLEAN, "NAME") for line in lines] == [
        f"3 findings: 1 low_balance, 1 attention, 1 no_backup. Service {host}, {ACCOUNT}",
        "The balance lasts 0 days, less than 7 days (fleet_report_min_days).",
        "NAME (id 7) needs attention: running, unhealthy.",
        "NAME (id 7) has no usable backup.",
    ]
    if form == "matrix":
        assert posted["html"].count("<br>") == 3
        assert ESCAPED in posted["html"]
    assert (controller.folder / "clawhosters-fleet-report.html").exists()


SEEN, UNSEEN = {"restore_ends": "stopped", "transition_reads": 1}, {"restore_shows": None, "transition_seconds": 0}


@pytest.mark.parametrize(
    ("switches", "end"),
    [(SEEN, "restored and healthy"), pytest.param(UNSEEN, "NOT rescued", marks=pytest.mark.rest)],
)
def test_a_rescue_posts_what_came_of_it_and_restores_once_for_an_incident(
    simulator: Simulator, controller: Controller, receiver: Receiver, switches: dict[str, t.Any], end: str
) -> None:
    backup = {"id": 10, "instance_id": 1, "created_at": "2h ago"}
    simulator.reset(state={"instances": [{"id": 1, "name": "web-bot"}], "backups": [backup]}, switches=switches)
    simulator.fault("status", method="POST", path="/instances/1/restart", status=422, times=None)
    for expected in (end, "NOT rescued"):
        command = ("ansible-playbook", str(REPOSITORY / "examples/rescue.yml"), "-e", "rescue_incident=INC-1")
        run = controller.run(*command, CHAT_WEBHOOK_URL=receiver.url)
        assert run.rc == 2, run.screen
        assert receiver.posted.pop()["text"] == f"web-bot did not restart. Incident INC-1: {expected}.", run.screen
        assert simulator.effects()["restores"] == 1


@pytest.mark.parametrize("text", [{"chat_is": "<!channel>"}, {"chat_at": "2026-11-29T03:44:14Z <!channel>"}], ids=str)
def test_text_in_an_event_is_refused_at_once(controller: Controller, receiver: Receiver, text: dict[str, str]) -> None:
    assert post(controller, receiver, **text).rc == 2
    assert receiver.posted == []


def test_the_rulebook_passes_only_an_id_and_known_words() -> None:
    (rulebook,) = yaml.safe_load((FOLDER / "rulebooks/chat.yml").read_text(encoding="utf-8"))
    passed = rulebook["rules"][0]["action"]["run_playbook"]["extra_vars"]
    assert set(passed) == {"chat_id", "chat_event", "chat_form", "chat_is", "chat_at"}
    assert "name" not in json.dumps(passed)


@pytest.mark.rest
@pytest.mark.slow
def test_the_rulebook_posts_a_change_as_the_guide_starts_it(
    simulator: Simulator, controller: Controller, java_home: str | None, receiver: Receiver
) -> None:
    guide = (REPOSITORY / "docs/monitoring.md").read_text(encoding="utf-8")
    (typed,) = re.findall(r"```bash\n([^`]*ansible-rulebook[^`]*)```", guide)
    shutil.copytree(REPOSITORY / "examples", controller.folder / "examples")
    settings = controller.write("fast.yml", {"chat_interval": 1, "chat_health_stays_for": 0})
    # Without the subshell, the process that the test ends is ansible-rulebook.
    typed = typed.replace("(cd", "cd").replace("inventory.yml)", "inventory.yml")
    typed = typed.replace("https://chat.example/hooks/SECRET", receiver.url)
    typed = typed.replace("&& ansible-rulebook", f"&& exec ansible-rulebook --vars {settings}")
    with rulebook(controller, java_home, simulator, "chat", command=["bash", "-ec", typed]) as running:
        simulator.set_instance(7, health_status="healthy")
        running.until(lambda: bool(receiver.posted))
    changed = re.escape(f"{ESCAPED} (id 7) changed, its health is now healthy (seen ")
    assert re.fullmatch(changed + r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\)", receiver.posted[0]["text"])
    assert SECRET not in running.screen
