-- A finding has the code of the reason for which its cause holds a budget, and what it is about as a number.

set local lock_timeout = '5s';

-- Columns --------------------------------------------------------------------------------------------------------------

-- Nullable and without a default: no row is rewritten.
alter table public.pipeline_findings add column amount numeric;

comment on column public.pipeline_findings.amount is
'How much it is about, in EUR, leads or the unit that detail names; of a sum that differs, what is counted too much, or (negative) '
'nowhere. NULL = it has no amount, or the amount is not known.';
comment on column public.pipeline_findings.name is
'Its code, listed in docs/REASONS.md: where the same cause holds budgets, the code that budget_decisions.reasons has.';

-- The names of findings become those of the reasons ---------------------------------------------------------------------

-- Where a row of the new name exists for the same thing, one of the two stays: an open one before a closed one, then the one that
-- was seen last. It keeps since when the thing is known. An account that differed in currency and in time zone gets the currency's
-- code; its next pull names the time zone as well.
create temporary table renamed on commit drop as
select
    findings.id,
    findings.name <> codes.name as is_old,
    codes.name,
    row_number() over same_thing as place,
    min(findings.first_seen) over (
        partition by codes.name, findings.segment_id, findings.channel, findings.date, findings.subject
    ) as first_seen
from public.pipeline_findings as findings
cross join lateral (
    select
        coalesce(
            case findings.name
                when 'budget_shared' then 'shared_budget'
                when 'segment_without_campaign' then 'no_campaign'
                when 'capacity_unknown' then 'missing_capacity'
                when 'channel_stale' then 'stale_channel'
                when 'account_not_comparable'
                    then case
                        when findings.detail like '%the currency %' then 'currency_mismatch'
                        else 'time_zone_mismatch'
                    end
                when 'settings_unreadable'
                    then case findings.subject
                        when 'lead_segment_channels' then 'missing_limits'
                        else 'settings_missing'
                    end
                when 'budget_not_steered'
                    then substring(
                        findings.detail,
                        '.* of [a-z0-9_]+: (campaign_experiment|campaign_total_budget|campaign_type|budget_type|'
                        || 'campaign_not_eligible|campaign_state_unknown) \('
                    )
            end,
            findings.name
        ) as name
) as codes
window same_thing as (
    partition by codes.name, findings.segment_id, findings.channel, findings.date, findings.subject
    order by (findings.resolved_at is null) desc, findings.last_seen desc, findings.id
);

delete from public.pipeline_findings as findings
using renamed
where findings.id = renamed.id and renamed.place > 1;

update public.pipeline_findings as findings
set
    name = renamed.name,
    first_seen = renamed.first_seen
from renamed
where
    findings.id = renamed.id
    and renamed.place = 1
    and (renamed.is_old or findings.first_seen <> renamed.first_seen);

-- What no code was found for is looked for by nobody any more, and would stay open.
update public.pipeline_findings
set resolved_at = now()
where
    name in (
        'budget_shared', 'segment_without_campaign', 'capacity_unknown', 'channel_stale', 'account_not_comparable',
        'settings_unreadable', 'budget_not_steered'
    )
    and resolved_at is null;

-- Privileges -----------------------------------------------------------------------------------------------------------

grant update (amount) on public.pipeline_findings to lead_pipeline;
