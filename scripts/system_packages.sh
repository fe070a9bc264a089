#!/usr/bin/env bash
# Installs what the tests need from the system (a headless browser) where that is possible; tests that miss it skip with a reason.
set -u
if command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1; then
  exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "no chromium here: the report's browser tests will be skipped (Debian: apt-get install chromium)" >&2
  exit 0
fi
echo "installing chromium for the report's browser tests" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk; } >"$log" 2>&1; then
  echo "chromium could not be installed; its tests will be skipped:" >&2
  tail -5 "$log" >&2
fi
rm -f "$log"
exit 0
