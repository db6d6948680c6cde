-- Grain: one finding of a check that was made in Python; see record_found.sql.
-- Why: a person can query what is wrong, since when and until when; what the check no longer finds is closed.
with found as (
    select given.*
    from jsonb_to_recordset(%(findings)s::jsonb) as given (
        name text,
        level text,
        segment_id uuid,
        channel text,
        date date,
        subject text,
        detail text,
        remediation text,
        evidence_date date,
        amount numeric
    )
),

checked as (
    select given.*
    from jsonb_to_recordset(%(checked)s::jsonb) as given (name text, channel text, account text, first date, last date)
),

{% include 'findings/record_found.sql' %}
