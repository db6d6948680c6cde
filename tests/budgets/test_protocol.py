"""The write-ahead protocol against an API that fails in every way it can: the log never says what is not so."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from lead_demand.budgets import decisions, planning, protocol, settling
from lead_demand.errors import ChangesFailed, ChangesUnsettled
from tests.faults.conftest import wrapped_protocol
from tests.faults.drill import Died
from tests.fixtures.morning import Morning

MUTATE = "MutateCampaignBudgets"


@pytest.fixture
def decided(morning: Morning, monkeypatch: pytest.MonkeyPatch) -> Morning:
    """A morning whose decisions are taken and whose changes are not yet claimed. Waiting is cut short."""
    monkeypatch.setattr(protocol, "SETTLE_DELAYS", (0.05, 0.05))
    for account in ("1234567890", "2345678901"):
        planning.read_budgets("google_ads", account, "test-run")
    planning.plan("google_ads", "test-run")
    assert {row["action"] for row in morning.decisions().values()} == {"increase", "decrease", "hold"}
    return morning


def apply(action: str, **options: Any) -> Exception | None:
    """One try of the task; gives the error that Airflow would see."""
    try:
        decisions.apply_changes(action, "google_ads", "test-run", **options)
    except (ChangesFailed, ChangesUnsettled) as error:
        return error
    return None


def mutations(morning: Morning) -> int:
    return len(morning.sandbox.calls(MUTATE))


@pytest.mark.parametrize(
    "kind",
    [
        "unavailable",
        "internal",
        "transient",
        "concurrent",
        "unavailable_after_apply",
        "internal_after_apply",
        "transient_after_apply",
    ],
)
def test_an_answer_that_leaves_doubt_is_read_back_until_the_log_is_sure(decided: Morning, kind: str) -> None:
    decided.sandbox.fault(kind, MUTATE)
    assert apply("increase") is None
    assert {row["status"] for row in decided.log()} == {"success"}
    decided.assert_log_is_the_truth()


@pytest.mark.parametrize("kind", ["unavailable_after_apply", "internal_after_apply"])
def test_a_change_that_took_effect_behind_an_error_is_not_sent_again(decided: Morning, kind: str) -> None:
    decided.sandbox.fault(kind, MUTATE, times=1, customer="1234567890")
    apply("increase")
    changed = {row["external_id"] for row in decided.log() if row["account"] == "1234567890"}
    sent = [call for call in decided.sandbox.calls(MUTATE) if "1234567890" in str(call)]
    assert changed and len(sent) == 1
    decided.assert_log_is_the_truth()


def test_no_answer_at_all_stays_pending_and_the_next_try_finishes_it(decided: Morning) -> None:
    decided.sandbox.fault("unavailable", MUTATE, times=100)
    assert isinstance(apply("increase"), ChangesUnsettled)
    assert {row["status"] for row in decided.log()} == {"pending"}
    decided.assert_log_is_the_truth()
    decided.sandbox.clear()
    assert apply("increase") is None
    assert {row["status"] for row in decided.log()} == {"success"}
    decided.assert_log_is_the_truth()


@pytest.mark.parametrize("kind", ["auth", "permission", "not_approved", "quota_daily"])
def test_a_refusal_is_final_at_once_and_says_why(decided: Morning, kind: str) -> None:
    decided.sandbox.fault(kind, MUTATE, times=100, retry_delay=40_591)
    assert isinstance(apply("increase"), ChangesFailed)
    for row in decided.log():
        assert row["status"] == "failed" and row["error_code"] and row["error_detail"] and row["request_id"]
    accounts = {row["account"] for row in decided.log()}
    assert mutations(decided) == len(accounts), "a refusal is not tried again"
    decided.assert_log_is_the_truth()


def test_a_quota_of_seconds_is_waited_for(decided: Morning) -> None:
    decided.sandbox.fault("quota", MUTATE, retry_delay=1)
    assert apply("increase") is None
    decided.assert_log_is_the_truth()


def test_one_bad_operation_spoils_no_other(decided: Morning) -> None:
    decided.sandbox.fault("partial", MUTATE, op_index=0, customer="1234567890")
    assert isinstance(apply("increase"), ChangesFailed)
    statuses = [row["status"] for row in decided.log() if row["account"] == "1234567890"]
    assert sorted(statuses).count("failed") == 1 and "success" in statuses
    decided.assert_log_is_the_truth()


def test_a_budget_that_a_person_changed_meanwhile_is_left_alone_and_the_log_says_who(decided: Morning) -> None:
    target = next(row for row in decided.decisions().values() if row["action"] == "increase")
    budget = decided.db.value(
        "select budgets.budget_id from channel_budgets as budgets join channel_sources as sources "
        "on budgets.campaign_id = sources.external_id where sources.segment_id = %s limit 1",
        [target["segment_id"]],
    )
    decided.sandbox.set_budget(budget, 77_770_000, user="marketing@vakwerkgids.example")
    decided.first_budgets = decided.sandbox.budgets()
    assert isinstance(apply("increase"), ChangesFailed)
    (row,) = [row for row in decided.log() if row["external_id"] == budget]
    assert (row["status"], row["error_code"]) == ("failed", "changed_by_somebody_else")
    assert "marketing@vakwerkgids.example" in row["error_detail"] and "77.77" in row["error_detail"]
    decided.assert_log_is_the_truth()


def test_the_kill_switch_stops_what_was_claimed_before_it_is_sent(
    decided: Morning, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = protocol.BudgetProtocol.compare

    def switch_on_after_comparing(*args: Any, **options: Any) -> Any:
        to_send = compare(*args, **options)
        decided.set(kill_switch=True)
        return to_send

    monkeypatch.setattr(protocol.BudgetProtocol, "compare", switch_on_after_comparing)
    report = decisions.apply_changes("increase", "google_ads", "test-run")
    assert report.switched_off and report.stopped and mutations(decided) == 0
    assert {row["status"] for row in decided.log()} == {"pending"}
    decided.assert_log_is_the_truth()


def test_a_claim_of_an_earlier_day_is_read_back_closed_and_never_sent(decided: Morning) -> None:
    decided.sandbox.fault("unavailable", MUTATE, times=100)
    apply("increase")
    decided.sandbox.clear()
    with decided.db.connect() as owner:
        owner.execute("alter table channel_orchestration_log disable trigger user")
        owner.execute("update channel_orchestration_log set decision_date = decision_date - 1")
        owner.execute("alter table channel_orchestration_log enable trigger user")
    settling.settle_open_changes("google_ads")
    assert {(row["status"], row["error_code"]) for row in decided.log()} == {("failed", "not_applied")}
    assert mutations(decided) == 0
    decided.assert_log_is_the_truth()


def applied_and_put_back(decided: Morning) -> dict[str, Any]:
    """The increases were sent, the process died before it closed a row, and a person set one budget back."""
    with wrapped_protocol() as strikes:

        def die() -> None:
            raise Died

        strikes.at("increase", "answered", die)
        with pytest.raises(Died):
            decisions.apply_changes("increase", "google_ads", "test-run")
    sent = {edit["resource_name"] for edit in decided.sandbox.changes() if edit["user_email"].startswith("lead-")}
    row = next(row for row in decided.log() if row["external_id"] in sent)
    decided.sandbox.set_budget(row["external_id"], int(row["old_value"] * 1_000_000))
    return row


def test_a_change_that_a_person_put_back_before_it_was_read_back_is_not_sent_again(decided: Morning) -> None:
    claim = applied_and_put_back(decided)
    assert apply("increase") is None
    (row,) = [row for row in decided.log() if row["id"] == claim["id"]]
    assert row["status"] == "success" and "by somebody else" in row["error_detail"]
    assert decided.sandbox.budgets()[row["external_id"]] == int(row["old_value"] * 1_000_000)


def test_a_change_of_an_earlier_day_that_a_person_put_back_is_not_called_never_applied(decided: Morning) -> None:
    claim = applied_and_put_back(decided)
    with decided.db.connect() as owner:
        owner.execute("alter table channel_orchestration_log disable trigger user")
        owner.execute("update channel_orchestration_log set decision_date = decision_date - 1")
        owner.execute("alter table channel_orchestration_log enable trigger user")
    settling.settle_open_changes("google_ads")
    (row,) = [row for row in decided.log() if row["id"] == claim["id"]]
    assert row["status"] == "success" and "by somebody else" in row["error_detail"]


def test_a_decision_is_claimed_for_all_of_its_budgets_or_not_at_all(decided: Morning) -> None:
    rows = decided.db.fetch(
        "select segments.code, max(budget_id) as budget, max(segment_id::text) as segment_id, max(budgets.account) "
        "as account from channel_budgets as budgets join channel_sources on campaign_id = external_id "
        "join lead_segments as segments on segment_id = segments.id "
        "group by segments.code having count(distinct budget_id) > 1 order by segments.code"
    )
    action = {code: row["action"] for code, row in decided.decisions().items()}
    several = next(row for row in rows if action[row["code"]] != "hold")
    decided.db.restore(  # an open change that nobody has settled
        "insert into channel_orchestration_log "
        "(segment_id, channel, action_type, old_value, new_value, account, external_id, kind) "
        "values (%s, 'google_ads', 'budget_decrease', 40, 30, %s, %s, 'plan')",
        [several["segment_id"], several["account"], several["budget"]],
    )
    error = apply(action[several["code"]])
    assert isinstance(error, ChangesFailed) and several["code"] in str(error)
    claimed = [row for row in decided.log() if row["code"] == several["code"] and row["decision_id"]]
    assert claimed == [], "half a decision is another decision"


def test_an_account_that_cannot_be_read_back_keeps_its_claims_open_and_the_others_are_settled(decided: Morning) -> None:
    decided.sandbox.fault("unavailable", MUTATE, times=100)
    apply("increase")
    decided.sandbox.clear()
    for row in decided.log():
        decided.sandbox.set_budget(row["external_id"], int(row["new_value"] * 1_000_000))
    decided.sandbox.fault("permission", "SearchStream", times=100, customer="2345678901")
    settling.settle_open_changes("google_ads")
    assert {(row["account"], row["status"]) for row in decided.log()} == {
        ("1234567890", "success"),
        ("2345678901", "pending"),
    }
    decided.sandbox.clear()
    apply("increase")
    assert {row["status"] for row in decided.log()} == {"success"}
    decided.assert_log_is_the_truth()


def test_a_budget_that_moved_between_two_runs_of_the_day_is_not_sent_as_another_step(decided: Morning) -> None:
    decided.set(kill_switch=True)
    apply("increase")
    row = next(row for row in decided.decisions().values() if row["code"] == "schilder_noord_brabant")
    budget = decided.db.value(
        "select budget_id from channel_budgets join channel_sources on campaign_id = external_id where segment_id = %s",
        [row["segment_id"]],
    )
    decided.sandbox.set_budget(budget, 40_000_000)
    decided.first_budgets = decided.sandbox.budgets()
    planning.read_budgets("google_ads", "1234567890", "second-run")
    decided.set(kill_switch=False)
    error = apply("increase")
    assert isinstance(error, ChangesFailed) and "schilder_noord_brabant" in str(error)
    assert budget not in {row["external_id"] for row in decided.log()}
    assert decided.plans()["schilder_noord_brabant"]["orchestration_status"] == "failed"
    decided.assert_log_is_the_truth()


def test_automation_that_is_switched_off_after_the_plan_is_respected(decided: Morning) -> None:
    decided.db.fetch("update lead_segment_channels set is_automated = false")
    assert apply("increase") is None
    assert decided.log() == []
    decided.assert_log_is_the_truth()


def test_a_dry_run_that_is_switched_on_after_the_plan_claims_nothing(decided: Morning) -> None:
    decided.set(dry_run=True)
    assert apply("increase") is None
    assert decided.log() == [] and mutations(decided) == 0


def test_a_refusal_stays_a_failure_when_a_later_try_finishes_the_rest(decided: Morning) -> None:
    decided.sandbox.fault("permission", MUTATE, times=100, customer="1234567890")
    decided.sandbox.fault("unavailable", MUTATE, times=100, customer="2345678901")
    assert isinstance(apply("increase"), ChangesUnsettled)
    decided.sandbox.clear()
    assert isinstance(apply("increase"), ChangesFailed), "the run must not turn green"
    assert {row["status"] for row in decided.log()} == {"success", "failed"}
    decided.assert_log_is_the_truth()


def test_a_no_after_a_send_without_an_answer_is_not_final(decided: Morning) -> None:
    decided.sandbox.fault("unavailable", MUTATE, customer="1234567890")
    decided.sandbox.fault("permission", MUTATE, times=100, customer="1234567890")
    assert isinstance(apply("increase"), ChangesUnsettled)
    assert {row["status"] for row in decided.log() if row["account"] == "1234567890"} == {"pending"}
    decided.assert_log_is_the_truth()


def test_of_two_segments_that_share_a_budget_the_second_is_named_and_claims_nothing(decided: Morning) -> None:
    with protocol.BudgetProtocol.alone("google_ads", "budget_increase", "test-run") as work:
        first = decisions.decided_claims(work, "increase")[0]
        other = decided.db.value("select max(id::text)::uuid from lead_segments where id <> %s", [first[0].segment_id])
        second = tuple(replace(claim, segment_id=other, decision_id=None) for claim in first)
        with decided.db.connect() as owner:  # the guard refuses such a row before the key does
            owner.execute("alter table channel_orchestration_log disable trigger user")
        refused = work.claim([first, second])
        with decided.db.connect() as owner:
            owner.execute("alter table channel_orchestration_log enable trigger user")
    assert [claims for claims, _ in refused] == [second]
    assert "another change open" in refused[0][1]
    assert {row["segment_id"] for row in decided.log()} == {first[0].segment_id}


def test_two_schedulers_at_once_claim_each_change_once(decided: Morning) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as both:
        list(both.map(lambda _: apply("increase"), range(2)))
    apply("increase")
    rows = decided.log()
    assert len({row["external_id"] for row in rows}) == len(rows)
    assert {row["status"] for row in rows} == {"success"}
    decided.assert_log_is_the_truth()


def test_a_segment_with_two_campaigns_gets_a_claim_for_each_budget(decided: Morning) -> None:
    for action in ("decrease", "increase"):
        apply(action)
    by_segment: dict[str, list[dict[str, Any]]] = {}
    for row in decided.log():
        by_segment.setdefault(row["code"], []).append(row)
    several = {code: rows for code, rows in by_segment.items() if len(rows) > 1}
    assert several, "the sandbox has a segment with two campaigns that moves"
    for code, rows in several.items():
        decision = decided.decisions()[code]
        assert sum((row["new_value"] for row in rows), Decimal(0)) == decision["new_budget"]
        assert sum((row["old_value"] for row in rows), Decimal(0)) == decision["old_budget"]
