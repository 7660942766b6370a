# syntax=docker/dockerfile:1
# One image for x86-64 and ARM: docker buildx build --platform linux/amd64,linux/arm64 -t mystocks .
# Another Python or Debian: --build-arg PYTHON_IMAGE=python:3.13-slim-bookworm
# With the packages for several machines, Kubernetes and Dask: --build-arg LOCK=requirements-servers.lock
ARG PYTHON_IMAGE=python:3.12-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG LOCK=requirements.lock
WORKDIR /build
RUN python -m venv /opt/mystocks
ENV PATH=/opt/mystocks/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# The packages first: this layer is built again only when a lock changes. All are held to their hashes.
COPY requirements.lock requirements-servers.lock requirements-build.lock ./
RUN pip install --require-hashes -r ${LOCK} -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY mystocks_dagster ./mystocks_dagster
RUN pip install --no-deps --no-build-isolation . \
    && pip uninstall --yes setuptools \
    # Some packages hold files that are not Python of this version.
    && { python -W ignore -m compileall -q -j 0 /opt/mystocks/lib || true; }

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin mystocks \
    && install --directory --owner=10001 --group=10001 /project /backup
COPY --from=build /opt/mystocks /opt/mystocks
COPY --chmod=755 deploy/container/start /usr/local/bin/start
ENV PATH=/opt/mystocks/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MYSTOCKS_ROOT=/project \
    NUMBA_CACHE_DIR=/project/.dagster/cache/numba
WORKDIR /project
USER 10001:10001
VOLUME ["/project"]
EXPOSE 3000
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:3000/health/live', timeout=4)"]
ENTRYPOINT ["start"]
CMD ["ui", "--host", "0.0.0.0", "--port", "3000"]
