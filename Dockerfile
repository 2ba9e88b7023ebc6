# cr-audit without torch: docker build -t cr-audit . && docker run --rm -v "$PWD:/data:ro" cr-audit scan prefs.jsonl
# Pin the base by digest where builds must be the same: python:3.12-slim-bookworm@sha256:…
FROM python:3.12-slim-bookworm AS build
# hnswlib comes as source; the compiler stays behind in this stage.
# Debian keeps no superseded version that could be named here.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY cr_audit ./cr_audit
RUN python -m venv /opt/cr-audit \
    && /opt/cr-audit/bin/pip install --no-cache-dir --no-deps . \
    && /opt/cr-audit/bin/python -I -m cr_audit.slim > /tmp/slim.txt \
    && /opt/cr-audit/bin/pip install --no-cache-dir --no-warn-conflicts -r /tmp/slim.txt

FROM python:3.12-slim-bookworm
RUN useradd --create-home --uid 10001 audit \
    && mkdir /cache \
    && chown audit /cache
COPY --from=build /opt/cr-audit /opt/cr-audit
ENV PATH=/opt/cr-audit/bin:$PATH CR_AUDIT_CACHE=/cache PYTHONDONTWRITEBYTECODE=1
USER 10001
WORKDIR /data
ENTRYPOINT ["cr-audit"]
CMD ["--help"]
