#!/bin/bash
# Lets the running node read [sdk_allowlist] of its group files again.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
touch config.ini.reset_allowlist
echo "${PWD##*/} reads its SDK allowlists again; see its log"
