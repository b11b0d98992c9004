# The integration tests, as a client on the network: docker/compose.yaml.
ARG BASE=debian:12-slim
FROM ${BASE}
COPY .ci/install .ci/packages /tmp/ci/
RUN /tmp/ci/install client && rm -rf /tmp/ci /var/lib/apt/lists/* /var/cache/apt/*
WORKDIR /tests
COPY tests/data data
COPY tests/demo demo
COPY tests/docker docker
ENTRYPOINT ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
