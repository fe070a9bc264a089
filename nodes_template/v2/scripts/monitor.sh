#!/bin/bash
# For cron: is the node alive, does its RPC answer, and has height or view of each group moved since the last call?
# An idle chain of FISCO BCOS 2 changes its view about once a second, so standing still in both is a sign of trouble.
#
#   monitor.sh           look and tell; status 1 if something is wrong
#   monitor.sh -r        restart a node that does not answer, too

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
home=$PWD
node=${home##*/}
port=$(sed -n 's/^[[:space:]]*jsonrpc_listen_port[[:space:]]*=[[:space:]]*//p' config.ini)
status=0

ask() { # method, group
    curl --silent --max-time 5 "http://127.0.0.1:$port" --data "{\"jsonrpc\":\"2.0\",\"method\":\"$1\",\"params\":[$2],\"id\":1}" |
        sed -n 's/.*"result":"\(0x[0-9a-f]*\)".*/\1/p'
}

for genesis in conf/group.*.genesis; do
    group=${genesis#conf/group.}
    group=${group%.genesis}
    height=$(ask getBlockNumber "$group")
    view=$(ask getPbftView "$group")
    if [[ -z $height || -z $view ]]; then
        echo "[$(date '+%F %T')] ERROR! 127.0.0.1:$port $node group $group: no answer"
        status=1
        [[ ${1:-} == -r ]] && bash stop.sh && bash start.sh
        break
    fi
    before=
    [[ -f .monitor.$group ]] && before=$(<".monitor.$group")
    echo "$height $view" >".monitor.$group"
    if [[ "$height $view" == "$before" ]]; then
        echo "[$(date '+%F %T')] ERROR! 127.0.0.1:$port $node group $group: height $((height)) and view $((view)) do not move"
        status=1
    else
        echo "[$(date '+%F %T')] OK! 127.0.0.1:$port $node group $group: height $((height)), view $((view))"
    fi
done
exit $status
