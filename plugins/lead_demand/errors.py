"""Errors of our own. Each says what happened, what was left untouched and what to do next."""

from __future__ import annotations


class LeadDemandError(Exception):
    """Base of every error that this library raises on purpose."""


class InvalidRange(LeadDemandError):
    """The days asked for cannot be restated. Nothing was read or written; trigger again with another range."""


class SetupIncomplete(LeadDemandError):
    """A table, setting or connection that a run needs is missing. Nothing was changed; the message names it."""


class SourceUnavailable(LeadDemandError):
    """A source could not be read for now. Its rows keep their earlier values; the next try reads it again."""


class SourceRefused(LeadDemandError):
    """A source refused us: credentials, permission or a request it does not accept. A retry does not help."""


class NotToday(LeadDemandError):
    """A budget run of another day than today. Nothing was changed; start a new run instead of clearing an old one."""


class NothingToRevert(LeadDemandError):
    """What was asked to be put back cannot be. No budget was read or changed; the message says which row and why."""


class ChangesFailed(LeadDemandError):
    """Some budget changes were refused. They are closed as failed in the log; the other changes went through."""


class ChangesLeftOpen(LeadDemandError):
    """An account refuses us while claims are open. A retry does not help; the next run reads the budgets back first."""


class ChangesUnsettled(LeadDemandError):
    """Google gave no definite answer for some changes. They stay pending; the next try reads the budgets back first."""
