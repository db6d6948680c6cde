"""The sandbox: a small lead company, the people who buy from it, and the three Google APIs that describe it.

It runs as its own process (``python -m sandbox --home DIR``), because gRPC and ``fork`` do not mix. Nothing in it is
patched into the pipeline: the unmodified Google clients reach it through Airflow Connections alone.

=========================  ========================================================================================
``world.catalogue``        who exists: segments, campaigns, budgets, sites (immutable)
``world.noise``            random numbers that are looked up by a key instead of drawn
``world.world``            what happens: leads, clicks, spend, visits, acceptance, from seed and budget history
``world.state``            what is remembered: the budget history, edits and the step offset (SQLite, ``records``)
``world.passing``          how a day passes while the calendar stands still
``world.faults``           every way in which the APIs can be told to fail; ``fault_queue``, ``tokens``
``world.books``            what the company's own database would hold
``google.ads``             the gRPC server: Search, SearchStream, MutateCampaignBudgets, ListAccessibleCustomers
``google.query``           the answer to one ``gaql`` query, from ``resources`` into messages by ``rows``
``google.failures``        errors as Google Ads sends them; ``refusals`` of a budget's change
``google.search_console``  ``searchAnalytics.query``, and ``ga4``: ``runReport``; ``reports`` is what both share
``google.web``             the HTTP server: reports, OAuth token endpoint, control plane
``google.pki``             throw-away keys: a CA, a server certificate, a service account
``company.load``           ``load()``: writes those books into Postgres
``company.partners``       ``play()``: what the company's partners do to their figures, by name
``company.forms``          ``play()``: what forms and imports write into the company's table of leads, by name
=========================  ========================================================================================

Where it differs from the real services, on purpose or because nobody has measured them: nothing is reported for
today; change events are there at once (in reality up to three minutes late); a budget's amount is the only thing that
can be changed; conversions are not restated later; Search Console's days are those of Amsterdam (in reality Pacific
time); CONCURRENT_MODIFICATION comes with gRPC status ABORTED, which is an assumption; a campaign that learns goes on
learning.
"""
