# One image for every program of an agent; `longshore run`, the default, needs no other container.
# For amd64 and arm64: every package in requirements/run.txt has wheels for both. See docs/how-to/image.md.
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
COPY requirements/build.txt requirements/run.txt requirements/
# Two environments: one to build with, and one without even pip, which is all that the image gets.
RUN python -m venv /opt/build \
 && python -m venv --without-pip /opt/longshore \
 && /opt/build/bin/pip --python /opt/longshore/bin/python install --no-cache-dir --no-compile --require-hashes \
      --only-binary :all: -r requirements/run.txt \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY longshore longshore
COPY ingest ingest
COPY tasks tasks
COPY config config
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --no-index --wheel-dir dist . \
 && /opt/build/bin/pip --python /opt/longshore/bin/python install --no-cache-dir --no-compile --no-deps --no-index \
      dist/*.whl \
# The root may be read-only at run time: nothing could be compiled later. Checked by hash, so that no time stamp counts.
 && /opt/longshore/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/longshore/lib

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="longshore" \
      org.opencontainers.image.description="An execution agent for Port that loses nothing, retries, and scales out on Celery" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.documentation="docs/how-to/image.md"
# redis-server: for `longshore run` without REDIS_URL, and for the sandbox. tini: hands signals on and collects orphans.
# What could install or build more does not stay: the pip of the base image, and what it is made from.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates redis-server tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log /etc/redis \
      /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/ensurepip \
 && groupadd --gid 1000 appgroup \
 && useradd --uid 1000 --gid appgroup --no-create-home --home-dir /tmp/port-agent --shell /usr/sbin/nologin agent \
 && mkdir --mode 1777 /tmp/port-agent
COPY --from=build /opt/longshore /opt/longshore
# The built-in mapping, at the path where users mount their own.
COPY longshore/invocation/mapping/default.json /app/control_the_payload_config.json
COPY scripts/sbom.py /tmp/sbom.py
RUN mkdir /usr/share/longshore \
 && /opt/longshore/bin/python /tmp/sbom.py longshore "${VERSION}" > /usr/share/longshore/sbom.json \
 && rm /tmp/sbom.py
# The only writable place, also under another user id and with a read-only root.
ENV PATH=/opt/longshore/bin:$PATH HOME=/tmp/port-agent TMPDIR=/tmp/port-agent \
    LONGSHORE_CA_BUNDLE=/tmp/port-agent/ca-certificates/ca-certificates.crt \
    PYTHONDONTWRITEBYTECODE=1 METRICS_PORT=9464
WORKDIR /app
USER 1000:1000
# Whether it makes progress. That Kafka, Redis or Port is away makes it no less healthy: it waits for them.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["longshore", "health", "--live"]
ENTRYPOINT ["tini", "--", "longshore"]
CMD ["run"]
