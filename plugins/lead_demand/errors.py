"""Every error that this library raises on purpose, with the four facts that on call needs.

What happened is the error's own message. What was left untouched, whether a retry can fix it and what to do belong
to its class. `oncall.diagnosis` has the same facts for every other error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lead_demand.text import plain

RUNBOOK = "docs/runbook.md"


@dataclass(frozen=True)
class Facts:
    """The four facts of one error; `kind` names its section in the runbook.

    `rerun`: whether the work is to be run again after `todo`; how is the DAG's own rule.
    """

    kind: str
    happened: str
    unchanged: str
    heals: bool
    todo: str
    rerun: bool = True

    @property
    def runbook(self) -> str:
        """The section, as a path of this repository."""
        return f"{RUNBOOK}#{self.kind.lower()}"


class LeadDemandError(Exception):
    """Base of every error that this library raises on purpose.

    :param happened: what happened, in one or two sentences.
    :param unchanged: what was not changed, where it is not what the class says.
    :param todo: the next step, where it is not what the class says.
    """

    unchanged: ClassVar[str] = "Nothing was read, written or sent."
    todo: ClassVar[str] = "Read the message."
    heals: ClassVar[bool] = False
    rerun: ClassVar[bool] = True

    def __init__(self, happened: str, *, unchanged: str | None = None, todo: str | None = None) -> None:
        # An API's words, a form's range, a name: whatever the message was made of becomes one line here.
        happened = plain(happened)
        super().__init__(happened)
        self.facts = Facts(
            type(self).__name__,
            happened,
            plain(unchanged or self.unchanged),
            self.heals,
            plain(todo or self.todo),
            self.rerun,
        )

    def __str__(self) -> str:
        return f"{self.facts.happened} {self.facts.unchanged} {self.facts.todo}"


class InvalidRange(LeadDemandError):
    """The days asked for cannot be restated."""

    unchanged = "Nothing was read or written."
    todo = "Trigger lead_stats again with another range."
    rerun = False


class SetupIncomplete(LeadDemandError):
    """A table, setting or connection that a run needs is missing; the message names it."""

    unchanged = "Nothing was read or written."
    todo = "Add what the message names."


class SourceUnavailable(LeadDemandError):
    """A source is temporarily unavailable."""

    unchanged = (
        "The days that could not be fetched keep their earlier values; what the log above counts as done stands."
    )
    todo = "Wait until the source answers."
    heals = True


class SourceRefused(LeadDemandError):
    """A source refused access: credentials, permission, a daily quota, or a request that it does not accept."""

    unchanged = (
        "The days that could not be fetched keep their earlier values, and the account's segments hold; what the log "
        "above counts as done stands."
    )
    todo = "Repair the access."


class CapacitySourceFailed(LeadDemandError):
    """The partners' tables gave nothing, or nothing for most of the segments that had partners when last recorded."""

    unchanged = (
        "No capacity was written and none counts as read: the segments hold as stale until a later read succeeds, also "
        "where an earlier run of this morning had read it."
    )
    todo = (
        "Check as lead_pipeline what include/sql/sources/partner_capacity.sql returns: its grants, row level security, "
        "rows. If the partners are really gone, an admin adds a row to capacity_confirmations today, with "
        "segment_id NULL and confirmed_capacity 0."
    )
    heals = True  # a table that is being reloaded is empty for a moment


class CheckFailed(LeadDemandError):
    """The statistics break a rule that every good day keeps."""

    unchanged = "This run announces no day and so starts no budgets; the statistics stay as they were written."
    todo = "Repair the rows that the message names."
    rerun = False  # which task is cleared is the check's own remediation: the one that writes the rows, not the check


class NotToday(LeadDemandError):
    """A run of another day than today, of a DAG that only knows today; the message names both."""

    unchanged = "No budget was read or changed, and no message was sent."
    todo = "Do not clear it: start a new run of the DAG that the message names."
    rerun = False


class NothingToRevert(LeadDemandError):
    """A change that was to be reverted cannot be; the message says which row and why."""

    unchanged = "No budget was read or changed."
    todo = "Look for a row with status 'success' in channel_orchestration_log and start a new run for it."
    rerun = False


class NothingToReplay(LeadDemandError):
    """A backtest that cannot be made; the message says why."""

    unchanged = "No budget was read or changed; an earlier report was left as it was."
    todo = "Restate the days before the first morning with lead_stats, or choose later mornings."
    rerun = False


class AnswerUnusable(LeadDemandError):
    """There is no valid answer about large increases; the message says why."""

    unchanged = "None of these increases was sent or logged as rejected; the smaller changes of the morning stand."
    todo = "Start a new run of lead_budgets before approval_deadline: it asks about what still waits. Do not clear it."
    rerun = False


class AnswerUnclear(LeadDemandError):
    """Large increases were approved with a name under Leave out that fits none of them; the message gives it."""

    unchanged = "None of these increases was sent or logged as rejected; the smaller changes of the morning stand."
    todo = "Answer the question again: choose the segments under Leave out from the list."
    heals = True  # the next try asks once more


class MessageBroken(LeadDemandError):
    """A template of include/messages cannot be rendered; the message names the file and the line."""

    unchanged = (
        "No message was sent and nobody was asked. No budget waits for that text but the large increases that it is to "
        "ask about: they stay as they are."
    )
    todo = "Correct the template that the message names, or restore it from the repository."


class ChangesFailed(LeadDemandError):
    """Some budget changes were refused."""

    unchanged = "The budgets named keep their old amount and are closed as failed; the other changes went through."
    todo = "Read each refusal, and repair what it names. Tomorrow's run decides again; nothing is sent twice."
    rerun = False


class ChangesLeftOpen(LeadDemandError):
    """An account refuses access while changes are open."""

    unchanged = "Nothing is sent twice: the changes named stay pending; the other changes went through."
    todo = "Repair the account's access. The budgets are read back before anything is sent."


class ChangesUnsettled(LeadDemandError):
    """Google gave no definite answer for some changes."""

    unchanged = "Nothing is sent twice: the changes named stay pending; the other changes went through."
    todo = "The budgets are read back before anything is sent."
    heals = True


class DeadlineMissed(LeadDemandError):
    """At the deadline of the morning, some budgets are neither decided nor waiting for a person."""

    unchanged = "Every budget stays as it is."
    todo = (
        "Check whether lead_stats ran and announced yesterday, then whether lead_budgets was started. Start what is "
        "missing, in that order."
    )
    rerun = False


class UpstreamFailed(LeadDemandError):
    """A task before it failed; this one only makes the run fail too, or lacks what that task was to write."""

    unchanged = "What the other tasks wrote stands."
    todo = "Read the log of the task that is named; this one needs no repair of its own."
    rerun = False
