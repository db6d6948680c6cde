# The production image: Airflow's official slim one, the locked packages, and the folders that Airflow reads.
# Slim is Airflow's core alone; the regular one brings three dozen providers that nothing here uses, in other versions.
# Migrations are applied by the database's owner (`make migrate` or `supabase db push`), never from here.
# `make image` writes the digest of the base behind its tag, where an engine reaches the registry.
FROM apache/airflow:slim-3.3.2-python3.12

LABEL org.opencontainers.image.title="lead-demand" \
      org.opencontainers.image.description="Airflow DAGs that decide Google Ads budgets per lead segment each morning" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/apache/airflow:slim-3.3.2-python3.12"

# In one layer, or what is removed would stay in the one before: Ray (Vertex AI has it for Python 3.10 and 3.11 alone),
# litellm (which the Google provider never imports), and the versions of the Google Ads API that are not used.
COPY requirements.txt /requirements.txt
RUN pip install --no-cache-dir --require-hashes -r /requirements.txt \
    && pip uninstall --yes ray litellm \
    && ads="$(python -c 'import google.ads.googleads as ads; print(ads.__path__[0])')" \
    && rm -r "$ads/v23" "$ads/v24" "$ads/v25"

# Days begin and end at midnight in Amsterdam, backfills by date included.
ENV AIRFLOW__CORE__DEFAULT_TIMEZONE=Europe/Amsterdam \
    AIRFLOW__CORE__LOAD_EXAMPLES=False

COPY --chown=airflow:root config /opt/airflow/config
COPY --chown=airflow:root dags /opt/airflow/dags
COPY --chown=airflow:root plugins /opt/airflow/plugins
COPY --chown=airflow:root include /opt/airflow/include

# The chart library of the page, from the npm registry, by its hash.
COPY tools/browser_packages.py /browser_packages.py
RUN python /browser_packages.py uplot /opt/airflow/plugins/lead_demand/ui/static/vendor

# As whatever component the container was started. Kubernetes has probes of its own and does not look at this.
COPY deploy/healthcheck.sh /healthcheck.sh
HEALTHCHECK --interval=60s --timeout=30s --start-period=60s --retries=5 CMD ["bash", "/healthcheck.sh"]

# The base's own user, airflow; as a number, Kubernetes can tell that it is not root.
USER 50000
