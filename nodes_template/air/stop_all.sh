#!/bin/bash
# Stops the nodes of this host, one after the other.

cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
for home in */; do
    home=${home%/}
    if [[ -f $home/config.ini && -f $home/stop.sh ]]; then
        echo "try to stop $home"
        bash "$home/stop.sh"
    fi
done
