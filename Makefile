# Needs python3 (3.11 to 3.13) and make; everything else is installed into .venv, and everything that runs lives in .local.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.SUFFIXES:
unexport MAKEFLAGS MFLAGS
.PHONY: help run tomorrow test backtest clock faults drill fleet up stop status clean migrate show history psql airflow bench bench-page bench-decisions screenshots lint check check-code docs audit sbom image format lock

ANY_PYTHON := $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell command -v $(name) 2>/dev/null | sed 's/.*\///')) python3)
PYTHON := .venv/bin/python
READY := .venv/.locked
# The chart library of the page (tools/browser_packages.py), for whatever serves or opens the page.
CHART_FOLDER := plugins/lead_demand/ui/static/vendor
CHART := $(CHART_FOLDER)/.package
ARGS ?=
DAYS ?=
DATE ?=
SEGMENT ?=

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-22s %s\n", $$1, $$2 }'

run: $(READY) $(CHART) ## one morning from start to end on this machine: statistics, plan, budgets; safe to re-run
	@$(PYTHON) -m local.morning

tomorrow: $(READY) ## the sandbox's company lives one more day and its morning is decided (DAYS=30: so many); never a real one
	@DAYS="$(DAYS)" $(PYTHON) -m local.tomorrow

test: $(READY) $(CHART) ## the tests, against a real PostgreSQL and a real Airflow (ARGS="tests/planner -x" narrows them, ARGS=--long plays every case)
	@$(PYTHON) -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

up: $(READY) $(CHART) ## start the local services and leave them running; prints the address of Airflow's UI
	@$(PYTHON) -m local.commands up

stop: $(READY) ## stop the local services
	@$(PYTHON) -m local.commands stop

status: $(READY) ## which local services run, what was restarted and why, and what Airflow reports of its health
	@$(PYTHON) -m local.commands status

show: $(READY) ## today's decisions and whether the live budgets agree with the log; another day (DATE=2026-11-26), one segment (SEGMENT=)
	@DATE="$(DATE)" SEGMENT="$(SEGMENT)" $(PYTHON) -m local.look show

history: $(READY) ## one segment day by day: leads, decisions, what came of them (SEGMENT=schilder_utrecht DAYS=60)
	@SEGMENT="$(SEGMENT)" DAYS="$(DAYS)" $(PYTHON) -m local.look history

migrate: $(READY) ## apply the migrations to LEADS_DATABASE_URL, or to the local database (ARGS=--dry-run shows them)
	@$(PYTHON) -m local.commands migrate $(ARGS)

psql: $(READY) ## a prompt on the leads database
	@$(PYTHON) -m local.commands psql $(ARGS)

airflow: $(READY) ## Airflow's own command line (ARGS="dags list-import-errors")
	@$(PYTHON) -m local.commands airflow $(ARGS)

backtest: $(READY) ## past mornings with other settings, beside what was decided (ARGS="max_increase_pct=50 max_decrease_pct=50")
	@$(PYTHON) -m local.commands backtest $(ARGS)

clock: $(READY) ## the tests that depend on the time, at night, at midnight, when the clock changes, in other zones (an hour and a half; ARGS=--short)
	@PYTHONPATH=plugins $(PYTHON) -m tests.clock $(ARGS)

faults: $(READY) ## every fault at every step of a budget change, one line per case (under half an hour; ARGS="-k killed")
	@$(PYTHON) -m pytest tests/faults --every-case -q --numprocesses auto --maxprocesses 4 $(ARGS)

drill: $(READY) ## a running Airflow broken in two dozen ways, one morning each; failed logs in .local/drill (half an hour; ARGS="-k quota")
	@$(PYTHON) -m pytest tests/faults/test_drill.py --every-morning -q -o faulthandler_timeout=900 $(ARGS)

fleet: $(READY) ## both DAGs on Celery's workers, and what is lost while they work; needs Debian's redis-server (six minutes; ARGS="-k redis")
	@LEADS_TEST_FLEET=1 $(PYTHON) -m pytest tests/fleet -q --numprocesses 0 -o faulthandler_timeout=900 $(ARGS)

bench-decisions: $(READY) ## the planner against rules of thumb, an oracle and an insider (a quarter of an hour)
	@$(PYTHON) -m bench.decisions $(ARGS)

bench: $(READY) ## what a morning costs, against limits measured in the same run (an hour; ARGS=--quick for a minute)
	@$(PYTHON) -m bench.pipeline $(ARGS)

bench-page: $(READY) ## what each answer of the morning page takes over its bare SQL, at 10,000 segments and 90 days (ARGS=--quick)
	@$(PYTHON) -m bench.page $(ARGS)

screenshots: $(READY) $(CHART) ## take the pictures in docs/ again, in a real Airflow with a real browser
	@LEADS_TEST_BROWSER=1 LEADS_TEST_SCREENSHOTS=1 $(PYTHON) -m pytest -q tests/pages tests/ui/browser/test_views.py

check: check-code ## for each save: style, types, imports, SQL, generated pages, and the tests that need no service and play no company
	@$(PYTHON) -m pytest --no-services -q --numprocesses 2 --dist worksteal $(ARGS)

check-code: $(READY)
	$(PYTHON) -m ruff check --quiet .
	$(PYTHON) -m ruff format --check --quiet .
	$(PYTHON) -m mypy
	PYTHONPATH=plugins .venv/bin/lint-imports --no-logo --cache-dir .local/import_linter
	$(PYTHON) -m tools.lint_sql
	$(PYTHON) -m tools.docs --check

lint: check-code ## style, types, SQL, migrations, dependencies, licences, Dockerfile, Compose file, Helm values, workflow, alerts and the site
	$(PYTHON) -m deptry --no-ansi plugins dags config
	$(PYTHON) -m deptry --no-ansi --ignore DEP004 .
	.venv/bin/hadolint Dockerfile
	.venv/bin/squawk include/migrations/*.sql
	.venv/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yaml
	.venv/bin/check-jsonschema --quiet --schemafile deploy/helm/schema.json deploy/helm/values*.yaml
	$(PYTHON) -m tools.deployment
	.venv/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	.venv/bin/actionlint
	$(PYTHON) -m tools.lint_monitoring
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build

docs: $(READY) ## docs/ as a site, in .local/site: open .local/site/index.html; every link is checked
	@NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build

sbom: $(READY) ## the locked packages as a software bill of materials (CycloneDX), in .local/sbom
	@$(PYTHON) -m tools.sbom $(ARGS)

audit: $(READY) ## known vulnerabilities of the locked packages (ARGS="--level critical"); 3 = no source could be reached
	@$(PYTHON) -m tools.audit $(ARGS)

image: ## build the Dockerfile, from the digest of its base image that is written down or, the first time, looked up
	@$(ANY_PYTHON) tools/image.py $(ARGS)

format: $(READY) ## rewrite the Python files in the house style
	@$(PYTHON) -m ruff check --fix-only --quiet . && $(PYTHON) -m ruff format .

lock: $(READY) ## resolve requirements*.in again for Python 3.11 to 3.13 and write the locks
	@$(PYTHON) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header -o requirements.txt requirements.in
	@$(PYTHON) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header -o requirements-dev.txt requirements-dev.in

clean: ## stop the services and delete .local: the local database, the sandbox, every log
	@if [ -e $(READY) ]; then $(PYTHON) -m local.commands clean; else rm -rf .local; fi
	@rm -rf .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(READY): requirements.txt requirements-dev.txt
	@command -v $(ANY_PYTHON) >/dev/null || { echo "Python 3.11 to 3.13 is needed, and no python3 is on PATH."; exit 1; }
	@$(ANY_PYTHON) tools/environment.py

# A morning needs no chart: where no registry answers, the page shows the same figures as a table.
$(CHART): tools/browser_packages.py
	@$(PYTHON) tools/browser_packages.py uplot $(CHART_FOLDER) || [ $$? = 3 ]
