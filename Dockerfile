# One image per part of dotbus, each with its own packages only:
#   docker build --build-arg PART=ads-ingest --tag dotbus-ads-ingest .
# PART: ads-ingest, lmp-ingest, modbus-gateway, historian, alarms, console, simulator or launcher (an extra of pyproject.toml).
ARG PYTHON=python:3.13-slim

FROM ${PYTHON} AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY libs libs
COPY services services
COPY simulators simulators
COPY launcher launcher
RUN --mount=type=cache,target=/root/.cache/pip pip wheel --no-deps --wheel-dir /wheel .

FROM ${PYTHON} AS environment
ARG PART
COPY --from=wheel /wheel /wheel
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m venv --without-pip /opt/dotbus \
 && pip --python /opt/dotbus/bin/python3 install "$(echo /wheel/*.whl)[${PART:?build with --build-arg PART=...}]"
# The wheel has every part; an image keeps its own. The launcher knows them all.
RUN set -eu; cd /opt/dotbus/lib/python3*/site-packages; \
    script() { case $1 in launcher) echo dotbus ;; simulator) echo dotbus-simulator ;; *) echo "$1" ;; esac; }; \
    folder() { case $1 in simulator) echo simulators ;; *) echo "$1" | tr - _ ;; esac; }; \
    for other in ads-ingest lmp-ingest modbus-gateway historian alarms console simulator launcher; do \
      if [ "$other" != "$PART" ]; then \
        rm "/opt/dotbus/bin/$(script $other)"; [ "$PART" = launcher ] || rm -r "$(folder $other)"; \
      fi; \
    done; \
    case $PART in ads-ingest | lmp-ingest | launcher) ;; *) rm -r caiso ;; esac; \
    printf '#!/bin/sh\nexec %s "$@"\n' "$(script "$PART")" > /opt/dotbus/bin/part; chmod 755 /opt/dotbus/bin/part

FROM ${PYTHON}
LABEL org.opencontainers.image.title="dotbus" org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/dotbus/bin:$PATH PYTHONUNBUFFERED=1
RUN groupadd --gid 10001 dotbus \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/dotbus --no-create-home --shell /usr/sbin/nologin dotbus \
 && install -d -o 10001 -g 10001 -m 0750 /var/lib/dotbus
COPY --from=environment /opt/dotbus /opt/dotbus
USER 10001:10001
WORKDIR /var/lib/dotbus
ENTRYPOINT ["part"]
