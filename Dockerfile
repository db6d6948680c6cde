# The production image: the official one, the locked packages, and the three folders that Airflow reads.
# Migrations are applied by the database's owner (`make migrate` or `supabase db push`), never from here.
# `make image` writes the digest of the base behind its tag, where an engine reaches the registry.
FROM apache/airflow:3.3.2-python3.12

COPY requirements.txt /requirements.txt
RUN pip install --no-cache-dir --require-hashes -r /requirements.txt

# Days begin and end at midnight in Amsterdam, backfills by date included.
ENV AIRFLOW__CORE__DEFAULT_TIMEZONE=Europe/Amsterdam \
    AIRFLOW__CORE__LOAD_EXAMPLES=False

COPY --chown=airflow:root dags /opt/airflow/dags
COPY --chown=airflow:root plugins /opt/airflow/plugins
COPY --chown=airflow:root include /opt/airflow/include

# The chart library of the page, from the npm registry, by its hash.
COPY tools/browser_packages.py /browser_packages.py
RUN python /browser_packages.py uplot /opt/airflow/plugins/lead_demand/ui/static/vendor
