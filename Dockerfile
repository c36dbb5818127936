# One image for every program of an agent; `longshore run`, the default, needs no other container.
FROM python:3.13-slim-bookworm AS build
WORKDIR /src
COPY requirements/build.txt requirements/run.txt requirements/
RUN python -m venv /opt/longshore \
 && /opt/longshore/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/run.txt \
 && pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY longshore longshore
COPY ingest ingest
COPY tasks tasks
COPY config config
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/longshore/bin/pip install --no-cache-dir --no-deps --no-index dist/*.whl

FROM python:3.13-slim-bookworm
# For `longshore run` without REDIS_URL, and for the sandbox.
RUN apt-get update \
 && apt-get install -y --no-install-recommends redis-server \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 1000 appgroup \
 && useradd --uid 1000 --gid appgroup --no-create-home --home-dir /tmp/port-agent agent \
 && mkdir --mode 1777 /tmp/port-agent
COPY --from=build /opt/longshore /opt/longshore
# The built-in mapping, at the path where users mount their own.
COPY longshore/invocation/mapping/default.json /app/control_the_payload_config.json
# The only writable place, also under another user id and with a read-only root.
ENV PATH=/opt/longshore/bin:$PATH HOME=/tmp/port-agent TMPDIR=/tmp/port-agent PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
USER agent
ENTRYPOINT ["longshore"]
CMD ["run"]
