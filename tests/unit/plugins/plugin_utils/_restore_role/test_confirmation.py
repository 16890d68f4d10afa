# Copyright: ClawHosters Ansible collection contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the answers that confirm a restore."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.reason import ReasonError
from ansible_collections.clawhosters.cloud.plugins.module_utils._service.restore.target_plan import RestoreAction
from ansible_collections.clawhosters.cloud.plugins.module_utils._state.journal import OperationEvent
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.plan_texts import format_group
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.role_executor import (
    TRIES,
    explain_wrong_answer,
    require_confirmation,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.role_run import (
    GIVEN,
    TYPED,
    expected_answer,
    is_confirmed,
    set_answers,
)
from ansible_collections.clawhosters.cloud.plugins.plugin_utils._restore_role.variables import parse_targets
from support.restores import BACKUPS, WEB, history, named, role_plans, run
from support.restores import plan as planned

INCIDENT = "INC-1"


def answer(name, *others, ids=None):
    """Returns the answer that confirms id 1. The other names have the ids 2, 3, and so on, or ``ids``."""
    instances = [{"id": 1, "name": name}]
    instances += [{"id": one, "name": other} for one, other in zip(ids or range(2, 99), others, strict=False)]
    return role_plans(parse_targets(None, [1]), instances, BACKUPS)[0].answer


def build_named_plans(*names, unsent=()):
    """Returns plans for instances with these names and the ids 1, 2, and so on; those in ``unsent`` have no backup."""
    instances = [{"id": number, "name": name, "status": "running"} for number, name in enumerate(names, 1)]
    backups = [{**BACKUPS[0], "id": 10 + one["id"], "instance_id": one["id"]} for one in instances]
    backups = [one for one in backups if one["instance_id"] not in unsent]
    return role_plans(parse_targets(None, [one["id"] for one in instances]), instances, backups)


@pytest.mark.parametrize("name", ["web-bot", "web bot", "<b>{{ x }}</b>", "a,b", "true", "1"])
def test_a_unique_name_confirms(name):
    assert answer(name, "shop-bot", "Web-bot", "web_bot", "b\xfcro", None, "") == name
    assert answer(f"  {name} ", "shop-bot") == name


BLANK = ["", None, " ", "\u3000", "\u200b", "\u3164"]
NOT_PLAIN = ["a\nb", "\x1b[2J", "a\u202eb", "a\ufffdb", "web\xa0bot", "b\xfcro", "w\u0435b-bot"]


@pytest.mark.parametrize("name", [*BLANK, *NOT_PLAIN, "x" * 256])
def test_a_name_that_is_blank_or_no_plain_ascii_does_not_confirm(name):
    assert answer(name) == "1"
    (plan,) = build_named_plans(name)
    assert any("Confirm with its id instead: 1." in line for line in format_group([plan]))
    for given_instead in (str(name), str(name).strip(), "", " ", "\u3000", ","):
        assert not is_confirmed(given_instead, [plan], INCIDENT)
    assert is_confirmed("1", [plan], INCIDENT)


@pytest.mark.parametrize("other", ["web bot", "web bot ", "w ebbot", "\u3000web\xa0bot"])
def test_names_that_differ_in_white_space_alone_confirm_nothing(other):
    assert answer("web bot", "shop-bot", other) == "1"


@pytest.mark.parametrize("name", ["web-bot", "7"])
def test_no_name_confirms_if_not_all_names_are_known(name):
    (plan,) = build_named_plans(name)
    assert plan.answer == name
    set_answers([plan], [plan.instance], is_whole=False)
    assert (plan.answer, plan.needs_id) == ("1", True)


def test_in_advance_the_ids_that_the_user_gave_confirm():
    plans = build_named_plans("web-bot", "bare-bot", "shop-bot", unsent=[2])
    for right in ("1,3", "1,shop-bot", "web-bot,2,3", "web-bot,shop-bot"):
        assert is_confirmed(right, plans, INCIDENT, in_advance=True)
    for wrong in ("", "1", "3,1", "1,3,2", "1,2", "01,3"):
        assert not is_confirmed(wrong, plans, INCIDENT, in_advance=True)


@pytest.mark.parametrize("name", ["7", " 7 "])
def test_a_name_that_is_the_id_of_another_does_not_confirm(name):
    assert answer(name, "shop-bot", ids=[7]) == "1"


@given(st.text(max_size=12), st.text(max_size=12))
def test_no_answer_confirms_two_instances(one, other):
    plans = build_named_plans(one, other)
    answers = [plan.answer for plan in plans]
    assert answers[0] != answers[1]
    assert all(text.isprintable() and text == text.strip() != "" for text in answers)
    assert [is_confirmed(text, plans[:1], INCIDENT) for text in answers] == [True, False]


def test_a_name_with_a_comma_confirms_only_a_single_restore():
    (alone,) = build_named_plans("a,b")
    assert is_confirmed("a,b", [alone], INCIDENT)
    several = build_named_plans("a,b", "c")
    assert expected_answer(several, INCIDENT) == "1,c"
    assert is_confirmed("1,c", several, INCIDENT)
    assert not is_confirmed("a,b,c", several, INCIDENT)


def test_an_answer_names_the_restores_in_order_and_may_name_other_targets():
    plans = build_named_plans("web-bot", "bare-bot", "shop-bot", unsent=[2])
    assert expected_answer(plans, INCIDENT) == "web-bot,shop-bot"
    for right in ("web-bot,shop-bot", "web-bot, shop-bot", "web-bot,bare-bot,shop-bot", "web-bot,2,shop-bot"):
        assert is_confirmed(right, plans, INCIDENT)
    disordered = ("shop-bot,web-bot", "bare-bot,web-bot,shop-bot", "web-bot,shop-bot,bare-bot")
    odd = ("web-bot,shop-bot,other", "web-bot,,shop-bot", "web-bot,shop-bot,", "1,3")
    for wrong in ("", "web-bot", *disordered, *odd):
        assert not is_confirmed(wrong, plans, INCIDENT)


def test_a_wrong_name_does_not_confirm_even_if_nothing_is_sent():
    plans = build_named_plans("bare-bot", unsent=[1])
    assert is_confirmed("bare-bot", plans, INCIDENT)
    assert not is_confirmed("web-bot", plans, INCIDENT)
    nobody = role_plans(parse_targets("nobody", None), [WEB], [])
    assert is_confirmed("nobody", nobody, INCIDENT)
    assert not is_confirmed("None", nobody, INCIDENT)


def test_a_wrong_answer_is_shown_beside_the_right_one():
    text = explain_wrong_answer("You typed", "web\x1b[2J-bto\n", build_named_plans("web-bot"), INCIDENT)
    assert text == "You typed: web [2J-bto. It must be: web-bot."


def test_of_many_their_number_and_the_incident_confirm():
    names = [f"bot-{number}" for number in range(1, 8)]
    plans = build_named_plans(*names, unsent=[3])
    assert expected_answer(plans, "INC 7") == "6 INC 7"
    for right in ("6 INC 7", " 6  INC 7\n", ",".join(names[:2] + names[3:]), "\n".join(names)):
        assert is_confirmed(right, plans, "INC 7"), right
    for wrong in ("6", "6 INC-7", "7 INC 7", "5 INC 7", "INC 7", ",".join(names[:2] + names[4:])):
        assert not is_confirmed(wrong, plans, "INC 7"), wrong
    few = build_named_plans(*names[:5])
    assert expected_answer(few, "INC 7") == ",".join(names[:5])
    assert not is_confirmed("5 INC 7", few, "INC 7")


def test_the_number_may_count_what_was_sent_already():
    """The same command is run again after it was interrupted, or after a response was lost."""
    plans = build_named_plans(*(f"bot-{number}" for number in range(1, 8)))
    for done in plans[:3]:
        done.action = RestoreAction.NONE
    plans[3] = named(planned(history(OperationEvent.UNCLEAR)), "bot-4", 4)
    assert expected_answer(plans, INCIDENT) == "bot-5,bot-6,bot-7"
    assert is_confirmed("7 INC-1", plans, INCIDENT)
    assert not is_confirmed("3 INC-1", plans, INCIDENT)


def ask_for(*answers, variable=""):
    """Returns how web-bot was confirmed, with these answers at the terminal, and how many were asked for."""
    prompts = []

    def ask(prompt):
        prompts.append(prompt)
        return answers[len(prompts) - 1]

    return require_confirmation(run(*build_named_plans("web-bot")), variable, ask), len(prompts)


def test_the_right_answer_confirms_at_once_or_after_a_wrong_one():
    assert ask_for(" web-bot ") == (TYPED, 1)
    assert ask_for("web-bto", "web-bot") == (TYPED, 2)
    assert ask_for(variable="web-bot") == (GIVEN, 0)
    with pytest.raises(ReasonError, match="restore_confirm is: x"):
        ask_for("web-bot", variable="x")


@pytest.mark.parametrize("answers", [[""], [" "], ["web-bto", ""], ["web-bto"] * TRIES])
def test_no_answer_and_wrong_ones_confirm_nothing(answers):
    with pytest.raises(ReasonError):
        ask_for(*answers)
