#!/usr/bin/env bash
# The main job, end to end, in the commands a user would type. Everything it makes is under one run directory.
set -euo pipefail

run=${FISCOTOOL_DEMO_DIR:-runs/demo-$(date +%Y%m%d-%H%M%S)}
ports=${FISCOTOOL_DEMO_PORTS:-30300,20200,8545}
chain=$run/nodes

bold='' plain=''
[ -t 1 ] && bold=$'\033[1m' plain=$'\033[0m'
say() { printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"; "$@"; }

clean_up() {
  status=$?
  if [ -d "$chain" ]; then
    say fiscotool stop --all --dir "$chain" || true
  fi
  if [ "$status" -eq 0 ]; then
    printf '\nThe report:  %s\n' "$run/report/report.html"
    printf 'The chain is stopped and kept in %s; remove it with: fiscotool destroy --dir %s\n' "$chain" "$chain"
  else
    printf '\nThe demo failed (exit %s). What it made is kept in %s; look at: fiscotool logs --dir %s\n' "$status" "$run" "$chain" >&2
  fi
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

printf 'Four nodes come up, take transactions, lose their leader to kill -9, recover, and are judged. Half a minute.\n'
mkdir -p "$run"
say fiscotool deploy -l 127.0.0.1:4 -p "$ports" -o "$chain"
say fiscotool start --all --dir "$chain"
say fiscotool watch --for 3 --every 1 --dir "$chain"
say fiscotool send --count 200 --rate 100 --dir "$chain"
say fiscotool drill run kill-leader --record "$run" --dir "$chain"
say fiscotool status --dir "$chain"
say fiscotool check "$run/recording.jsonl"
say fiscotool report "$run/recording.jsonl" --out "$run/report"
