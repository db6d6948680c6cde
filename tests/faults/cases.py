"""The matrix: which fault, at which step of the protocol, in which direction, and what must be true afterwards.

A case's `strike` comes before the run, or when execution passes the point `at`; each fault comes once unless it says
otherwise. Every fault of the API is aimed at one account, so that the other's changes have no excuse.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from tests.faults import points
from tests.fixtures.morning import Morning
from tests.fixtures.postgres import MEMBER

STRUCK, SPARED = "1234567890", "2345678901"
MUTATE, STREAM = "MutateCampaignBudgets", "SearchStream"
ALWAYS = ALL = 1_000

Strike = Callable[[Morning], None]


@dataclass(frozen=True)
class Case:
    """One line of the matrix.

    `at`: (step, point), None = before the run. `left_open`: whether an earlier run died and left claims, and if so
    whether its change is in force ("in force") or was never sent ("not in force"). `refused`: how many of the struck
    account's rows of the direction may say failed, since Google or a person gave a definite no. `lasts`: claims may
    stay open until the person's own run, before which everything is repaired. `retried`: Airflow itself must, or must
    not, have tried again. `then`: a second strike at a later point. `reported`: a finding that tells people of it.
    """

    fault: str
    step: str
    direction: str
    strike: Strike
    at: tuple[str, str] | None = None
    left_open: str = ""
    refused: int = 0
    lasts: bool = False
    retried: bool | None = None
    both_accounts: bool = False
    then: tuple[tuple[str, str], Strike] | None = None
    slow_client: bool = False
    reported: str = ""
    short: bool = False

    def __str__(self) -> str:
        return "-".join(filter(None, [self.fault, self.step, self.direction])).replace(" ", "_")


# -- strikes -----------------------------------------------------------------------------------------------------------


def api(kind: str, method: str, times: int = 1, **args: Any) -> Strike:
    """Queue faults of the API for the struck account."""
    return lambda morning: morning.sandbox.fault(kind, method, times=times, customer=STRUCK, **args)


def both(*strikes: Strike) -> Strike:
    def strike(morning: Morning) -> None:
        for each in strikes:
            each(morning)

    return strike


def lose_connection(morning: Morning) -> None:
    """End every session of the pipeline on the test's database, as a restart of the server would."""
    morning.db.fetch(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
        "where datname = current_database() and usename = 'lead_pipeline'"
    )


def lose_connection_in_flight(morning: Morning) -> None:
    """The same while the change is with Google."""
    api("slow", MUTATE, sleep=1)(morning)
    threading.Timer(0.3, lose_connection, [morning]).start()


def lock(table: str) -> Strike:
    """Hold a table against writers until after the statement's patience is over."""

    def strike(morning: Morning) -> None:
        holder = psycopg.connect(morning.db.owner_url)
        holder.execute(sql.SQL("lock table {} in share mode").format(sql.Identifier(table)))
        threading.Timer(0.45, holder.close).start()

    return strike


def short_patience(morning: Morning) -> None:
    """The pipeline waits 0.3 s for a lock in this database."""
    morning.db.fetch(
        sql.SQL("alter role lead_pipeline in database {} set lock_timeout = '300ms'").format(
            sql.Identifier(morning.db.name)
        )
    )


def disk_full(operation: str, number: int, action_type: str, *, at_commit: bool = False) -> Strike:
    """The log refuses its `number`-th write of that kind, once; sequences count through rollbacks."""
    kind = "constraint trigger" if at_commit else "trigger"
    when = "after" if at_commit else "before"
    deferred = "deferrable initially deferred" if at_commit else ""

    def strike(morning: Morning) -> None:
        morning.db.fetch(
            f"""
            create sequence public.writes;
            create function public.no_space() returns trigger language plpgsql security definer as $$
            begin
                if nextval('public.writes') = {number} then
                    raise exception 'could not extend file: No space left on device' using errcode = '53100';
                end if;
                return new;
            end
            $$;
            create {kind} no_space {when} {operation} on public.channel_orchestration_log {deferred}
            for each row when (new.action_type = '{action_type}') execute function public.no_space();
            """
        )

    return strike


def foreign_edit(kind: str) -> Strike:
    """A person sets the first budget of the change as the call arrives, or right after it was stored."""
    return api(kind, MUTATE, amount_micros=77_770_000)


def edit_first_open_budget(morning: Morning) -> None:
    """A person sets the first budget that is about to be compared."""
    (budget,) = morning.db.fetch(
        "select external_id from channel_orchestration_log where status = 'pending' and account = %s "
        "order by external_id limit 1",
        [STRUCK],
    )
    morning.sandbox.set_budget(budget["external_id"], 77_770_000)


# -- the API -----------------------------------------------------------------------------------------------------------

# Kinds by what the client can know: it may heal; it is a definite no; nobody can say.
HEALING = ("quota", "unavailable", "internal", "transient", "concurrent", "auth_expired", "timeout")
REFUSING = ("quota_daily", "auth", "permission", "not_approved", "not_enabled")
READS = (*HEALING, *REFUSING, "cut", "slow", "too_slow", "token", "token_expires", "empty", "duplicate_rows")
ARGS: dict[str, dict[str, Any]] = {
    "quota": {"retry_delay": 1},
    "quota_daily": {"retry_delay": 40_591},
    "slow": {"sleep": 0.5},
    "too_slow": {"sleep": 6},
}


def _fault(kind: str, method: str, times: int = 1, **args: Any) -> Strike:
    if kind in ("token", "token_expires"):
        # Of both accounts: a token is not an account's.
        return lambda morning: morning.sandbox.fault(kind, times=times, **({"seconds": 0} if "_" in kind else {}))
    suffix = "_after_apply" if kind.endswith("_after_apply") else ""
    base = kind.removesuffix(suffix)
    return api(("slow" if base == "too_slow" else base) + suffix, method, times, **ARGS.get(base, {}), **args)


def reads() -> Iterator[Case]:
    """Every kind of failing read, at every step that reads."""
    budgets = "campaign.bidding_strategy_system_status"
    amounts = "campaign_budget.resource_name IN"
    for number, kind in enumerate(READS):
        # An edge of each kind in both directions, over the steps.
        direction, other = ("decrease", "increase") if number % 2 else ("increase", "decrease")
        is_token = kind in ("token", "token_expires")
        shared = {
            "both_accounts": is_token,
            "slow_client": kind == "too_slow",
            "retried": {**dict.fromkeys(REFUSING, False), **dict.fromkeys((*HEALING, "cut", "too_slow"), True)}.get(
                kind
            ),
        }
        # What a person must repair first may stay open until then.
        open_until_repaired = {"lasts": kind in REFUSING}
        yield Case(kind, "read of the budgets", "", _fault(kind, STREAM, text=budgets), **shared)
        if not is_token:
            yield Case(kind, "read of the change history", "", _fault(kind, STREAM, text="FROM change_event"), **shared)
        for state in ("in force", "not in force"):
            yield Case(
                kind,
                f"settle's read of a claim {state}",
                direction if state == "in force" else other,
                _fault(kind, STREAM, text=amounts),
                None if is_token else ("settle", "before_read"),
                left_open=state,
                **shared | {"retried": None},
            )
        if is_token:
            continue  # a task asks for its token once, before its first call
        yield Case(
            kind,
            "compare's read",
            other,
            _fault(kind, STREAM, text=amounts),
            (other, "before_compare"),
            short=kind == "cut",
            **shared | open_until_repaired,
        )
        for state, sent in (("in force", "unavailable_after_apply"), ("not in force", "unavailable")):
            aim = direction if state == "in force" else other
            yield Case(
                kind,
                f"read-back of a change {state}",
                aim,
                both(api(sent, MUTATE), _fault(kind, STREAM, text=amounts)),
                (aim, "before_send"),
                short=(kind, state) == ("empty", "in force"),
                **shared | open_until_repaired,
            )


def outages() -> Iterator[Case]:
    """The account does not answer for the whole run."""
    for direction in ("decrease", "increase"):
        amounts = "campaign_budget.resource_name IN"
        for kind in ("unavailable", "permission"):
            yield Case(
                f"{kind} all day",
                "compare's read",
                direction,
                _fault(kind, STREAM, ALWAYS, text=amounts),
                (direction, "before_compare"),
                lasts=True,
                retried=kind == "unavailable",
            )
        for kind in ("unavailable", "internal", "cut", "too_slow"):
            yield Case(
                f"{kind} all day",
                "apply",
                direction,
                _fault(kind, MUTATE, ALWAYS),
                (direction, "before_send"),
                lasts=True,
                # What is slow arrives all the same, perhaps before the task gives up.
                retried=kind != "too_slow" or None,
                slow_client=kind == "too_slow",
            )
        for state in ("", "_after_apply"):
            yield Case(
                "cut off all day",
                "read-back of a change " + ("in force" if state else "not in force"),
                direction,
                both(api(f"cut{state}", MUTATE, ALWAYS), _fault("unavailable", STREAM, ALWAYS, text=amounts)),
                (direction, "before_send"),
                lasts=True,
                retried=True,
            )


def sends() -> Iterator[Case]:
    """Every kind of failing change, before and after it was stored, in both directions."""
    for direction in ("decrease", "increase"):
        at = (direction, "before_send")
        for kind in (*HEALING, *REFUSING, "cut", "slow", "too_slow"):
            refuses = kind in REFUSING
            for suffix in ("", "_after_apply"):
                if suffix and kind in (*REFUSING, "quota", "concurrent", "auth_expired"):
                    continue  # Google promises that nothing was stored; an API that lies here cannot be told apart
                yield Case(
                    kind + suffix,
                    "apply",
                    direction,
                    _fault(kind + suffix, MUTATE),
                    at,
                    refused=ALL if refuses else 0,
                    slow_client=kind == "too_slow",
                    short=(kind + suffix, direction) in (("cut_after_apply", "decrease"), ("internal", "increase")),
                )
        for error, refuses in (
            ("campaign_budget_error.MONEY_AMOUNT_TOO_LARGE", True),
            ("database_error.CONCURRENT_MODIFICATION", False),
            ("internal_error.TRANSIENT_ERROR", False),
        ):
            yield Case(
                f"one bad operation ({error.rpartition('.')[2].lower()})",
                "apply",
                direction,
                api("partial", MUTATE, error=error),
                at,
                refused=int(refuses),
            )
        # A no that follows a send without an answer proves nothing about that send: it is final on a later try only,
        # which has read the budget back.
        yield Case(
            "unavailable then refused",
            "apply",
            direction,
            both(_fault("unavailable", MUTATE), api("permission", MUTATE, 3)),
            at,
            refused=ALL,
            retried=True,
        )


def credentials() -> Iterator[Case]:
    """Tokens are refused or die while a direction is under way; a task's own client holds its token."""
    for direction in ("decrease", "increase"):
        start, compared = (direction, "before_claim"), (direction, "compared")

        def token(kind: str, times: int = 1, **args: Any) -> Strike:
            return lambda morning: morning.sandbox.fault(kind, times=times, **args)

        for fault, times in (("revoked", 1), ("revoked all day", ALWAYS)):
            # A retry does not mend credentials; whoever mended them starts a new run.
            yield Case(
                fault, "apply", direction, token("token", times), start, lasts=True, retried=False, both_accounts=True
            )
        yield Case(
            "token dies between two calls",
            "apply",
            direction,
            token("token_expires", seconds=0.2),
            start,
            both_accounts=True,
        )
        yield Case("token renewed in time", "apply", direction, token("token_expires", seconds=30, expires_in=1), start)
        yield Case("expired", "apply", direction, api("auth_expired", MUTATE), compared)


def people() -> Iterator[Case]:
    """A person changes a budget at the worst moment."""
    for direction in ("decrease", "increase"):
        yield Case(
            "foreign edit",
            "before compare",
            direction,
            edit_first_open_budget,
            (direction, "before_compare"),
            refused=1,
            short=direction == "increase",
        )
        at = (direction, "before_send")
        yield Case(
            "foreign edit",
            "between compare and apply",
            direction,
            foreign_edit("foreign_edit"),
            at,
            reported="edit_overwritten",
            short=direction == "decrease",
        )
        yield Case(
            "foreign edit",
            "between apply and its answer",
            direction,
            foreign_edit("foreign_edit_after_apply"),
            at,
        )
        yield Case(
            "foreign edit",
            "back to the old amount, before the read-back",
            direction,
            api("unavailable_after_apply", MUTATE),
            at,
            then=((direction, "answered"), put_back_first_open_budget),
            short=direction == "increase",
        )
        for kind in ("unavailable", "unavailable_after_apply"):
            state = "in force" if "after" in kind else "not in force"
            yield Case(
                "foreign edit",
                f"between an unanswered send ({state}) and its read-back",
                direction,
                api(kind, MUTATE),
                at,
                refused=int("after" not in kind),
                then=((direction, "answered"), edit_first_open_budget),
            )


ANY_AMOUNT = 98_765.43
WRITE = """
insert into channel_orchestration_log (
    segment_id, channel, action_type, old_value, new_value, status, account, external_id, decision_id
)
select distinct on (budgets.budget_id)
    sources.segment_id, budgets.channel, 'budget_increase', budgets.amount, %(amount)s, 'pending', budgets.account,
    budgets.budget_id, %(decision)s::uuid
from channel_budgets as budgets
inner join channel_sources as sources on budgets.channel = sources.channel and budgets.campaign_id = sources.external_id
where budgets.account = %(account)s
order by budgets.budget_id
offset %(number)s limit 1
"""


def write_a_row(morning: Morning, who: str | None, number: int = 0, *, decided: bool = False) -> None:
    """Somebody writes a pending row of any amount into the log; `who` is a role, None the owner with no trigger on.

    :param decided: it names a decision of today, whichever comes first.
    """
    decision = "select (array_agg(id order by id))[1] from budget_decisions where decision_date = lead_today()"
    values = {
        "amount": ANY_AMOUNT,
        "account": STRUCK,
        "number": number,
        "decision": morning.db.value(decision) if decided else None,
    }
    if who is None:
        with suppress(psycopg.errors.UniqueViolation):
            morning.db.restore(WRITE, values)
        return
    claims = morning.db.add_user(is_admin=True) if who == "admin" else None
    with morning.db.connect("authenticated" if who == "admin" else who, claims) as connection:
        with suppress(psycopg.DatabaseError):  # refused, which is as well
            connection.execute(WRITE, values)


def forged() -> Iterator[Case]:
    """Somebody writes a row of any amount while a direction is under way: refused, or a record, and never sent."""
    for who in ("admin", "service_role", "lead_pipeline", MEMBER):
        for direction in ("decrease", "increase"):
            for decided in (False, True):
                yield Case(
                    f"row of any amount by {who}" + (", with a decision" if decided else ""),
                    "claims_committed",
                    direction,
                    lambda morning, who=who, decided=decided: write_a_row(morning, who, decided=decided),
                    (direction, "claims_committed"),
                    short=(who, direction, decided) == ("admin", "increase", False),
                )


def put_back_first_open_budget(morning: Morning) -> None:
    """A person sets the first budget that was just changed back to what it was."""
    (claim,) = morning.db.fetch(
        "select external_id, old_value from channel_orchestration_log where status = 'pending' and account = %s "
        "order by external_id limit 1",
        [STRUCK],
    )
    morning.sandbox.set_budget(claim["external_id"], int(claim["old_value"] * 1_000_000))


# -- the process and its database --------------------------------------------------------------------------------------


def at_every_point(
    fault: str, strike: Strike, steps: tuple[str, ...], *, connected: bool = False, **given: Any
) -> Iterator[Case]:
    for step in steps:
        for point in points.POINTS[step]:
            if connected and point in points.WITHOUT_CONNECTION:
                continue
            yield Case(
                fault,
                f"{step}: {point}" if step in ("settle", "plan") else point,
                step if step in ("decrease", "increase") else "",
                strike,
                (step, point),
                left_open="in force" if step == "settle" else "",
                retried=True,
                **given,
            )


STEPS = ("decrease", "increase", "settle", "plan")


def kills() -> Iterator[Case]:
    """SIGKILL of the task's own process in a real Airflow."""
    for case in at_every_point("killed", lambda morning: None, STEPS):
        short = case.at == ("increase", "answered")
        yield Case(**vars(case) | {"short": short})


def connections() -> Iterator[Case]:
    """The database ends every session of ours."""
    for case in at_every_point("connection lost", lose_connection, STEPS, connected=True):
        in_flight = case.at is not None and case.at[1] == "sending"
        strike = lose_connection_in_flight if in_flight else lose_connection
        yield Case(**vars(case) | {"strike": strike, "short": case.at == ("decrease", "close_written")})


def locks() -> Iterator[Case]:
    """A statement that writes waits for a lock longer than it may."""
    for step, point, table in (
        *((step, "before_claim", "channel_orchestration_log") for step in ("decrease", "increase")),
        *((step, "before_close", "channel_orchestration_log") for step in ("decrease", "increase", "settle")),
        *((step, "read_not_stored", "channel_budgets") for step in ("decrease", "increase", "settle")),
        *((step, "close_written", "channel_budgets") for step in ("decrease", "increase", "settle")),
        *((step, "before_plans", "lead_segment_plans") for step in ("decrease", "increase", "settle", "plan")),
        ("plan", "before_decisions", "budget_decisions"),
    ):
        yield Case(
            f"lock on {table}",
            f"{step}: {point}" if step in ("settle", "plan") else point,
            step if step in ("decrease", "increase") else "",
            lock(table),
            (step, point),
            left_open="in force" if step == "settle" else "",
            retried=True,
            short=(step, point) == ("increase", "before_close"),
        )


def full_disks() -> Iterator[Case]:
    """The log refuses a write, at the statement or at its commit."""
    for direction in ("decrease", "increase"):
        for operation, words in (("insert", "claim"), ("update", "close")):
            for number in (1, 2):
                for at_commit in (False, True):
                    yield Case(
                        "disk full",
                        f"{words} {number}" + (" at its commit" if at_commit else ""),
                        direction,
                        disk_full(operation, number, f"budget_{direction}", at_commit=at_commit),
                        (direction, "before_claim"),
                        retried=True,
                        short=(operation, number, at_commit, direction) == ("update", 1, False, "decrease"),
                    )
    for at_commit in (False, True):
        yield Case(
            "disk full",
            "settle: close 1" + (" at its commit" if at_commit else ""),
            "",
            disk_full("update", 1, "budget_decrease", at_commit=at_commit),
            ("settle", "before_read"),
            left_open="in force",
            retried=True,
        )


API_CASES = [*reads(), *outages(), *sends(), *credentials(), *people(), *forged()]
PROCESS_CASES = [*kills()]
DATABASE_CASES = [*connections(), *locks(), *full_disks()]
