# Two stages: the first has a package manager and builds the wheel, the second has neither.
FROM python:3.11-slim AS build
RUN pip install --no-cache-dir uv
WORKDIR /src
COPY pyproject.toml uv.lock README.md LICENSE ./
COPY gateway gateway
COPY adapters adapters
COPY routing routing
COPY plugin_bridge plugin_bridge
# The image runs against real Redis and PostgreSQL; the embedded servers stay out of it.
RUN uv export --frozen --no-dev --no-emit-project --output-file /requirements.txt \
 && uv build --wheel --out-dir /wheels \
 && uv venv /opt/gateway \
 && uv pip install --python /opt/gateway --no-cache --require-hashes -r /requirements.txt \
 && uv pip install --python /opt/gateway --no-cache --no-deps /wheels/*.whl

FROM python:3.11-slim
# A real account: PostgreSQL's and Python's look-ups of the user's name must find one.
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/channel-gateway gateway
COPY --from=build /opt/gateway /opt/gateway
USER 10001
WORKDIR /var/lib/channel-gateway
ENV GATEWAY_HOST=0.0.0.0 GATEWAY_OPS_HOST=0.0.0.0 PYTHONUNBUFFERED=1
EXPOSE 8080 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["/opt/gateway/bin/python", "-P", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9090/healthz', timeout=2)"]
STOPSIGNAL SIGTERM
# -P: the working directory is not on the path, so nothing lying there can pose as our packages
# (`adapters` and `routing` are names that other distributions have too).
ENTRYPOINT ["/opt/gateway/bin/python", "-P", "-m", "gateway"]
CMD ["serve"]
