#!/bin/bash
# Starts all nodes of this host at once and waits for their start.sh.

cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
for home in */; do
    home=${home%/}
    if [[ -f $home/config.ini && -f $home/start.sh ]]; then
        echo "try to start $home"
        bash "$home/start.sh" &
    fi
done
wait
