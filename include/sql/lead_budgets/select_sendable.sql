-- Grain: one open change of today; `error_code` says why it may not be sent now, NULL = it may.
-- Why: a pending row is a claim and no order. Right before each send it is compared with its decision (or the change that it reverts)
-- and the limits of this moment, whatever the row says; what is not known lets nothing through.
-- Planned after join_whole_sets.sql: of claims just written there are no statistics, and thousands would be compared with each other.
with open_changes as (
    select
        log.id,
        log.segment_id,
        log.account,
        log.external_id,
        log.action_type,
        log.kind,
        log.decision_id,
        log.reverts,
        log.old_value,
        log.new_value,
        log.decided_by,
        log.created_at,
        limits.max_daily_budget,
        limits.min_daily_budget,
        limits.max_increase_pct,
        limits.max_decrease_pct,
        limits.is_automated
    from channel_orchestration_log as log
    left join lead_segment_channels as limits on log.segment_id = limits.segment_id and log.channel = limits.channel
    where
        log.channel = %(channel)s
        and log.status = 'pending'
        and log.kind <> 'manual'
        and log.decision_date = lead_today()
),

in_force as (
    {% include 'reading/budgets.sql' %}
),

month_limits as (
    {% include 'reading/month_limits.sql' %}
),

of_segment as (
    select
        segment_id,
        sum(amount) as amount,
        count(*) as budgets
    from in_force
    group by segment_id
),

judged as (
    select
        open_changes.*,
        wrong.error_code,
        wrong.detail
    from open_changes
    left join of_segment on open_changes.segment_id = of_segment.segment_id
    -- What the tables that grow say of a claim is looked up, claim by claim.
    left join lateral (
        select found.*
        from budget_decisions as found
        where found.id = open_changes.decision_id and open_changes.kind = 'plan'
        order by found.id
        limit 1
    ) as decisions on true
    left join lateral (
        select found.*
        from channel_orchestration_log as found
        where found.id = open_changes.reverts and open_changes.kind = 'revert'
        order by found.id
        limit 1
    ) as reverted on true
    -- What the claims of its decision add up to, up to this one; what failed moved nothing.
    cross join lateral (
        select sum(log.new_value - log.old_value) as claimed
        from channel_orchestration_log as log
        where
            log.decision_id = open_changes.decision_id
            and log.kind = 'plan'
            -- Written so that no index on status fits: a decision has a few rows, a day has thousands that are open.
            and (log.status in ('pending', 'success')) is true
            and (log.created_at, log.external_id) <= (open_changes.created_at, open_changes.external_id)
    ) as of_decision
    left join lateral (
        select
            checks.error_code,
            checks.detail
        from (
            values
            (
                1, 'plan', 'not_of_a_decision',
                decisions.segment_id = open_changes.segment_id
                and decisions.channel = %(channel)s
                and decisions.decision_date = lead_today()
                and not decisions.is_blocked
                and not decisions.is_dry_run
                and decisions.action in ('increase', 'decrease')
                and open_changes.action_type = 'budget_' || decisions.action
                and (decisions.action = 'increase') = (open_changes.new_value > open_changes.old_value)
                and open_changes.new_value <> open_changes.old_value,
                format(
                    'no decision of today says to change this budget from %%s to %%s',
                    round(open_changes.old_value, 2), round(open_changes.new_value, 2)
                )
            ),
            (
                2, 'plan', 'not_of_a_decision',
                case decisions.action
                    when 'increase' then of_decision.claimed <= decisions.new_budget - decisions.old_budget
                    -- The channel rounds down to its unit, so a decrease may be larger by less than one.
                    else of_decision.claimed > decisions.new_budget - decisions.old_budget - %(unit)s::numeric
                end,
                format(
                    'its decision is %%s to %%s, and the claims of it add up to %%s',
                    round(decisions.old_budget, 2), round(decisions.new_budget, 2), round(of_decision.claimed, 2)
                )
            ),
            (
                3, 'revert', 'not_of_a_decision',
                reverted.kind = 'plan'
                and reverted.status = 'success'
                and reverted.channel = %(channel)s
                and reverted.segment_id = open_changes.segment_id
                and reverted.account = open_changes.account
                and reverted.external_id = open_changes.external_id
                and reverted.new_value = open_changes.old_value
                and reverted.old_value = open_changes.new_value
                and open_changes.action_type = 'budget_revert',
                'the row that it reverts is no change of this budget by these amounts that took effect'
            ),
            (
                4, 'plan', 'beyond_limits',
                open_changes.is_automated,
                'is_automated is not true in lead_segment_channels now'
            ),
            (
                5, 'plan', 'beyond_limits',
                open_changes.new_value < open_changes.old_value
                or (
                    decisions.new_budget <= open_changes.max_daily_budget
                    and open_changes.max_daily_budget < 'Infinity'
                    and decisions.new_budget <= decisions.old_budget * (1 + open_changes.max_increase_pct / 100)
                    -- Of what a split rounds down the largest budget takes the rest, less than a unit for each.
                    and open_changes.new_value
                    <= open_changes.old_value * (1 + open_changes.max_increase_pct / 100) + %(unit)s::numeric * of_segment.budgets
                    and open_changes.max_increase_pct < 'Infinity'
                ),
                format(
                    'its segment may have %%s and rise by %%s%%%% now',
                    coalesce(round(open_changes.max_daily_budget, 2)::text, 'nothing'),
                    coalesce(trim_scale(open_changes.max_increase_pct)::text, '0')
                )
            ),
            (
                6, 'plan', 'beyond_limits',
                open_changes.new_value > open_changes.old_value
                or (
                    decisions.new_budget >= open_changes.min_daily_budget
                    and decisions.new_budget >= decisions.old_budget * (1 - open_changes.max_decrease_pct / 100)
                    and open_changes.new_value
                    >= open_changes.old_value * (1 - open_changes.max_decrease_pct / 100) - %(unit)s::numeric * of_segment.budgets
                    and open_changes.max_decrease_pct < 'Infinity'
                ),
                format(
                    'its segment keeps %%s and falls by %%s%%%% at most now',
                    coalesce(round(open_changes.min_daily_budget, 2)::text, 'what it has'),
                    coalesce(trim_scale(open_changes.max_decrease_pct)::text, '0')
                )
            ),
            -- A person undoes a change whatever its step, also while automation is off; the cap holds.
            (
                7, 'revert', 'beyond_limits',
                open_changes.new_value < open_changes.old_value
                or (
                    of_segment.amount + open_changes.new_value - open_changes.old_value <= open_changes.max_daily_budget
                    and open_changes.max_daily_budget < 'Infinity'
                ),
                format('its segment may have %%s now', coalesce(round(open_changes.max_daily_budget, 2)::text, 'nothing'))
            ),
            (
                8, 'revert', 'not_approved',
                open_changes.decided_by is not null or open_changes.new_value - open_changes.old_value <= %(approval_threshold)s,
                format('nobody asked for it, and more than +%%s needs a person', round(%(approval_threshold)s::numeric, 2))
            ),
            -- A name in the row is no approval: somebody was shown this decision today, and Airflow's record has the answer.
            (
                9, 'plan', 'not_approved',
                decisions.new_budget - decisions.old_budget <= %(approval_threshold)s
                or (
                    open_changes.decided_by is not null
                    and exists (
                        select 1
                        from approval_questions as questions
                        where
                            questions.channel = %(channel)s
                            and questions.question_date = lead_today()
                            and questions.chosen = array[%(approve)s::text]
                            and questions.responder_id is not null
                            and questions.asked @> jsonb_build_array(
                                jsonb_build_object('decision_id', open_changes.decision_id::text)
                            )
                    )
                ),
                format('nobody approved it, and more than +%%s needs approval', round(%(approval_threshold)s::numeric, 2))
            )
        ) as checks (place, kind, error_code, holds, detail)
        where checks.kind = open_changes.kind and checks.holds is not true
        order by checks.place
        limit 1
    ) as wrong on true
),

-- The month of the segment, then that of its branch, then what all share. Only what may be sent otherwise takes room below the next
-- limit, the oldest claim first.
segment_month as (
    select
        judged.id,
        judged.segment_id,
        judged.kind,
        judged.old_value,
        judged.new_value,
        judged.created_at,
        judged.external_id,
        coalesce(
            judged.error_code,
            case
                when
                    judged.new_value > judged.old_value
                    and month_limits.level is not null
                    and not coalesce(
                        month_limits.in_force
                        + sum(greatest(judged.new_value - judged.old_value, 0)) filter (where judged.error_code is null) over earlier
                        <= month_limits.month_cap
                        and month_limits.month_cap < 'Infinity',
                        false
                    )
                    then 'beyond_segment_month'
            end
        ) as error_code,
        coalesce(
            judged.detail,
            format(
                'with it the %%s per day that the monthly_budget of its segment leaves now would be passed',
                round(month_limits.month_cap, 2)
            )
        ) as detail
    from judged
    left join month_limits on month_limits.level = 'segment' and judged.segment_id = month_limits.segment_id
    window earlier as (partition by judged.segment_id order by judged.created_at, judged.external_id)
),

branch_month as (
    select
        segment_month.id,
        segment_month.kind,
        segment_month.old_value,
        segment_month.new_value,
        segment_month.created_at,
        segment_month.external_id,
        coalesce(
            segment_month.error_code,
            case
                when
                    segment_month.new_value > segment_month.old_value
                    and month_limits.level is not null
                    and not coalesce(
                        month_limits.in_force
                        + sum(greatest(segment_month.new_value - segment_month.old_value, 0))
                            filter (where segment_month.error_code is null)
                            over earlier
                        <= month_limits.month_cap
                        and month_limits.month_cap < 'Infinity',
                        false
                    )
                    then 'beyond_branch_month'
            end
        ) as error_code,
        case
            when segment_month.error_code is not null then segment_month.detail
            else
                format(
                    'with it the %%s per day that the monthly_budget of %%s in %%s leaves now would be passed',
                    round(month_limits.month_cap, 2), segments.branch, segments.country
                )
        end as detail
    from segment_month
    inner join lead_segments as segments on segment_month.segment_id = segments.id
    left join month_limits
        on month_limits.level = 'branch' and segments.country = month_limits.country and segments.branch = month_limits.branch
    window earlier as (
        partition by segments.country, segments.branch order by segment_month.created_at, segment_month.external_id
    )
),

room as (
    select
        branch_month.id,
        (
            select coalesce(sum(each_budget.amount), 0)
            from (
                select distinct
                    budget_id,
                    amount
                from in_force
            ) as each_budget
        )
        + sum(greatest(branch_month.new_value - branch_month.old_value, 0)) over earlier as total_budget,
        (
            select coalesce(sum(made.new_value - made.old_value), 0)
            from channel_orchestration_log as made
            where
                made.channel = %(channel)s
                and made.decision_date = lead_today()
                and made.kind = 'plan'
                and made.status = 'success'
                and made.new_value > made.old_value
        )
        + sum(greatest(branch_month.new_value - branch_month.old_value, 0))
            filter (where branch_month.kind = 'plan')
            over earlier as total_increase
    from branch_month
    where branch_month.error_code is null
    window earlier as (order by branch_month.created_at, branch_month.external_id)
)

select
    branch_month.id,
    case
        when branch_month.error_code is not null then branch_month.error_code
        when branch_month.new_value <= branch_month.old_value then null
        when not coalesce(room.total_budget <= %(total_daily_cap)s, false) then 'beyond_limits'
        when branch_month.kind = 'plan' and not coalesce(room.total_increase <= %(max_daily_increase)s, false) then 'beyond_limits'
    end as error_code,
    case
        when branch_month.error_code is not null then branch_month.detail
        when not coalesce(room.total_budget <= %(total_daily_cap)s, false)
            then format('with it %%s would be passed', %(total_cap_words)s::text)
        else format('with it max_daily_increase, now %%s, would be passed', round(%(max_daily_increase)s::numeric, 2))
    end as detail
from branch_month
left join room on branch_month.id = room.id
order by branch_month.created_at, branch_month.external_id
