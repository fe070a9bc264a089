#!/bin/bash
# Sends signed transactions to the chain this host belongs to:  .transTest.sh [how many]

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
command -v fiscotool >/dev/null || { echo "fiscotool is not on the PATH: pip install fiscotool" >&2; exit 1; }
exec fiscotool send --count "${1:-1}" --dir "$PWD"
