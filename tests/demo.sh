#!/usr/bin/env bash
# The first session of the README as a script: a server, two real data sets, two networks trained, a prediction, gradients. The server is left running.
# Usage: tests/demo.sh [BINARY [FOLDER]]
set -euo pipefail

binary=${1:-build/gradd}
here=$(dirname "$0")
work=${2:-build/demo}
mkdir -p "$work"

say() { printf '\n\033[1m%s\033[0m\n' "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi; }

# curl as everybody would type it, but a problem document ends the demo.
call() {
    local answer status
    answer=$(curl --silent --show-error --write-out '\n%{http_code}' "$@")
    status=${answer##*$'\n'}
    answer=${answer%$'\n'*}
    if [ "$status" -ge 400 ]; then
        printf '%s\n' "$answer" | jq . >&2
        exit 1
    fi
    printf '%s\n' "$answer"
}

stop_old_server() {
    local pid
    [ -f "$work/pid" ] || return 0
    pid=$(cat "$work/pid")
    if [ "$(readlink "/proc/$pid/exe" 2>/dev/null)" = "$(readlink -f "$binary")" ]; then
        kill "$pid"
        while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    fi
    rm -f "$work/pid"
}

# Port 8080 if it is free, else any.
start_server() {
    local port try
    rm -f "$work"/gradd.db*
    for port in 8080 0; do
        : >"$work/stdout"
        setsid "$binary" serve --listen "127.0.0.1:$port" --db "$work/gradd.db" >"$work/stdout" 2>"$work/log" </dev/null &
        echo $! >"$work/pid"
        for try in $(seq 100); do
            url=$(sed -n 's/^gradd .* listening on //p' "$work/stdout")
            [ -z "$url" ] || return 0
            kill -0 "$(cat "$work/pid")" 2>/dev/null || break
            sleep 0.05
        done
        [ "$try" -lt 100 ] || break
    done
    echo "the server did not start:" >&2
    cat "$work/log" >&2
    exit 1
}

# A bar of the cost, from the first point to this one.
draw() {
    awk -v epoch="$1" -v epochs="$2" -v cost="$3" -v first="$4" 'BEGIN {
        width = first > 0 ? int(50 * cost / first + 0.5) : 0
        if (width > 50) width = 50
        bar = sprintf("%" width "s", ""); gsub(" ", "#", bar)
        printf "  epoch %4d of %d  cost %-10.6g %s\n", epoch, epochs, cost, bar }'
}

# Submits a job, and draws its cost as it falls until the job is finished.
train() {
    local job state epoch drawn=0 points cost first='' epochs
    job=$(call "$url/v1/jobs" --json "$1" | jq -r .id)
    while :; do
        state=$(call "$url/v1/jobs/$job" | jq -r .state)
        points=$(call "$url/v1/jobs/$job/costs?after=$drawn&max_points=8")
        while read -r step epoch cost; do
            first=${first:-$cost}
            epochs=${epochs:-$(call "$url/v1/jobs/$job" | jq -r .epochs)}
            draw "$epoch" "$epochs" "$cost" "$first"
            drawn=$step
        done < <(jq -r '.points[] | "\(.step) \(.epoch) \(.cost)"' <<<"$points")
        case $state in queued | running) sleep 0.4 ;; *) break ;; esac
    done
    call "$url/v1/jobs/$job" | jq -r '"  \(.state): \(.steps) steps, cost \(.cost), version \(.version), digest \(.digest[:16])..."'
    [ "$state" = succeeded ]
}

split() { awk -v train="$work/$1.train.csv" -v test="$work/$1.test.csv" -f "$here/demo/split.awk" "$here/data/$1.csv"; }
upload() { call -X PUT "$url/v1/datasets/$1" -H 'Content-Type: text/csv' --data-binary "@$work/$1.train.csv" | jq -c '{name, rows, digest}'; }
ask_test_rows() {
    awk -f "$here/demo/rows.awk" "$work/$1.test.csv" >"$work/$1.rows.json"
    call "$url/v1/models/$1/predict" --json "@$work/$1.rows.json"
}

stop_old_server
start_server
echo "gradd serves at $url (log: $work/log)"

say 'The lesson: f(x) = x^2 has derivative 2x'
for x in 4 4.5; do
    printf '  at %s: ' "$x"
    call "$url/v1/differentiate" --json "{\"program\": \"f = x^2\", \"inputs\": {\"x\": $x}}"
done

say 'Regression: the lesson'"'"'s network learns how diabetes progresses'
split diabetes
upload diabetes
call "$url/v1/models" --json "@$here/demo/diabetes.model.json" | jq -c '{name, parameter_count, version}'
train "$(cat "$here/demo/diabetes.job.json")"
ask_test_rows diabetes | jq -r '.predictions[].progression' | paste -d, - <(tail -n +2 "$work/diabetes.test.csv" | awk -F, '{print $NF}') |
    awk -F, -v known="$(awk -f "$here/demo/least_squares.awk" "$work/diabetes.train.csv" "$work/diabetes.test.csv")" \
        '{ sum += ($1 - $2) ^ 2; n++ } END { printf "  error on %d rows it has not seen: %.2f (least squares: %s)\n", n, sqrt(sum / n), known }'

say 'Classification: a network reads handwritten digits'
split digits
upload digits
call "$url/v1/models" --json "@$here/demo/digits.model.json" | jq -c '{name, parameter_count, version}'
train "$(jq -c --argjson pixels "$(head -1 "$here/data/digits.csv" | jq -R 'split(",")[:-1]')" '.bind.X.columns = $pixels' "$here/demo/digits.job.json")"
ask_test_rows digits | jq -r '.predictions[].class' | paste -d, - <(tail -n +2 "$work/digits.test.csv" | awk -F, '{print $NF}') |
    awk -F, -v known="$(awk -f "$here/demo/nearest_centroid.awk" "$work/digits.train.csv" "$work/digits.test.csv")" \
        '{ right += $1 == $2; n++ } END { printf "  right on %.1f%% of %d digits it has not seen (nearest centroid: %s%%)\n", 100 * right / n, n, known }'

say 'A prediction, in the data'"'"'s own units'
call "$url/v1/models/diabetes/predict" --json "@$here/demo/diabetes.row.json" | jq -c '{predictions}'

say 'The gradient of the cost: how it would change with each bias of the first layer'
jq -n '{inputs: {X: [[0.8, -0.9, 1.3, 0.4, -0.9, -0.7, -0.9, -0.1, 0.4, -0.4]], y: [[0]]}, wrt: ["b1"]}' >"$work/gradient.json"
call "$url/v1/models/diabetes/gradient" --json "@$work/gradient.json" | jq -c '{of, value, gradients}'

say "The server is still running at $url. Try next:"
cat <<END
  curl $url/v1/models/diabetes
  curl $url/v1/jobs
  curl '$url/v1/datasets/diabetes/rows?limit=2'
  curl $url/v1/models/digits/versions
  curl $url/v1/differentiate --json '{"program": "f = sin(x) * exp(x); d = grad(f, x); dd = grad(d, x)", "inputs": {"x": 1}}'
  kill $(cat "$work/pid")    # stops it
END
