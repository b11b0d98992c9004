#!/bin/bash
# Builds the images, starts gradd by compose, and drives it from a second container: train, restart gradd, find everything again. Leaves nothing running.
set -euo pipefail
cd "$(dirname "$0")/.."

if docker compose version > /dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
command -v "${compose[0]}" > /dev/null || { echo 'skipped: no docker compose on this machine'; exit 0; }
BASE=$(docker/base.sh)
export BASE DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0 GRADD_PORT=0
compose+=(-p "gradd-test-$$" -f docker/compose.yaml)

docker build -q --force-rm --build-arg "BASE=$BASE" -f docker/Dockerfile -t gradd . > /dev/null
docker build -q --force-rm --build-arg "BASE=$BASE" -f docker/tests.Dockerfile -t gradd-tests . > /dev/null

# Steps are counted; the first that fails ends the script.
passed=0
finish() {
    local status=$?
    "${compose[@]}" --profile tests down -v > /dev/null 2>&1 || true
    echo "$passed passed, $((status != 0)) failed"
}
trap finish EXIT
step() { "$@" && passed=$((passed + 1)); }

"${compose[@]}" up -d --no-build gradd

healthy() { docker inspect -f '{{.State.Health.Status}}' "$("${compose[@]}" ps -q gradd)"; }
wait_healthy() {
    for _ in $(seq 100); do
        [ "$(healthy)" != healthy ] || return 0
        sleep 0.3
    done
    echo 'gradd did not become healthy:' >&2
    "${compose[@]}" logs gradd >&2
    return 1
}

step wait_healthy
step "${compose[@]}" run --rm tests docker/test_before.py
"${compose[@]}" restart -t 5 gradd
step wait_healthy
step "${compose[@]}" run --rm tests docker/test_after.py

user=$(docker inspect -f '{{.Config.User}}' gradd)
echo "the image runs as '$user'"
step [ "$user" = gradd ]
start=$(date +%s%N)
"${compose[@]}" stop -t 10 gradd
took=$((($(date +%s%N) - start) / 1000000))
code=$(docker inspect -f '{{.State.ExitCode}}' "$("${compose[@]}" ps -aq gradd)")
echo "stopped on SIGTERM with status $code in $took ms; the image has $(($(docker image inspect -f '{{.Size}}' gradd) / 1000000)) MB, its base $(($(docker image inspect -f '{{.Size}}' "$BASE") / 1000000)) MB"
step [ "$code" -eq 0 ]
