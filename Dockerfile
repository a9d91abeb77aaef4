# The wheel and its pinned, hashed dependencies are built in one stage and copied to a second
# that has no build tools, runs without root and writes to /var/lib/chargeward only.
FROM python:3.11.13-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/chargeward
WORKDIR /src
COPY requirements.txt ./
RUN /opt/chargeward/bin/pip install --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY devices devices
COPY iot iot
COPY rules rules
COPY alerts alerts
COPY api api
COPY simulators simulators
RUN /opt/chargeward/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/chargeward/bin/pip install --no-deps --no-index /wheels/*.whl \
    && /opt/chargeward/bin/python -m compileall -q /opt/chargeward/lib

FROM python:3.11.13-slim-bookworm
# A font with Chinese characters, embedded into evidence and reports.
RUN apt-get update \
    && apt-get install -y --no-install-recommends fonts-droid-fallback \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --user-group --no-create-home chargeward \
    && install -d -o chargeward -g chargeward -m 0700 /var/lib/chargeward
COPY --from=build /opt/chargeward /opt/chargeward
ENV PATH=/opt/chargeward/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CHARGEWARD_DATA_DIR=/var/lib/chargeward
USER chargeward
WORKDIR /var/lib/chargeward
VOLUME /var/lib/chargeward
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/livez', timeout=4)"]
ENTRYPOINT ["chargeward"]
CMD ["serve"]
