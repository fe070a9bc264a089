#!/usr/bin/env bash
# Makes docs/images/report.png and report-zh.png again: a real chain loses its leader, and Debian's chromium photographs the report.
#   scripts/make_pictures.sh [DIRECTORY]      where they go; docs/images by default. FISCOTOOL_DEMO_PORTS moves the chain's ports.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-docs/images}
ports=${FISCOTOOL_DEMO_PORTS:-26300,26200,26545}
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$browser" ]; then
  echo 'No chromium here. Debian: apt-get install chromium fonts-noto-cjk' >&2
  exit 3
fi

work=$(mktemp -d)
chain=$work/nodes
clean_up() {
  status=$?
  if [ -d "$chain" ]; then fiscotool stop --all --dir "$chain" >"$work/stop.log" 2>&1 || true; fi
  rm -rf "$work"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

fiscotool deploy -l 127.0.0.1:4 -p "$ports" -o "$chain"
fiscotool start --all --dir "$chain"
# The first view change takes three seconds; this waits for it, so that the picture shows the drill alone.
fiscotool send --count 20 --rate 10 --dir "$chain"
fiscotool drill run kill-leader --record "$work/run" --dir "$chain"

mkdir -p "$out"
for lang in en zh; do
  fiscotool report "$work/run/recording.jsonl" --lang "$lang" --out "$work/$lang"
  name=report$([ "$lang" = en ] || echo "-$lang").png
  "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/profile" --window-size=1200,1430 \
    --screenshot="$work/$name" "file://$work/$lang/report.html" 2>"$work/browser.log" || { cat "$work/browser.log" >&2; exit 1; }
  cp "$work/$name" "$out/$name"
  ls -l "$out/$name"
done
