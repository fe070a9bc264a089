#!/bin/bash
# Starts the node of this directory, unless it runs already. Its output goes to nohup.out.
<%- if generation == 3 %>
# Like the script of the same name that build_chain.sh writes, this one ends with status 0 whatever happens: read its last line.
<%- endif %>

cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
home=$PWD
node=${home##*/}
program=$home/../fisco-bcos

# Prints the pid of this directory's node: the process whose working directory is this one and whose program is ours.
# The text of a command line alone proves nothing, and a pid from a file may belong to another program by now.
node_pid() {
    local entry word position line
    if [[ ! -d /proc/self ]]; then
        ps -axo pid=,args= | while read -r entry line; do
            [[ $line == "$program -c "* || $line == *" $program -c "* ]] && echo "$entry" && break
        done
        return
    fi
    for entry in /proc/[0-9]*; do
        [[ $entry/cwd -ef $home ]] || continue
        position=0
        while IFS= read -r -d '' word; do
            if [[ $word -ef $program ]]; then
                case $position,$(readlink "$entry/exe") in
                    0,* | *,*/python* | *,*/pypy*) echo "${entry#/proc/}" && return ;;
                esac
            fi
            ((++position < 3)) || break
        done 2>/dev/null <"$entry/cmdline"
    done
}

pid=$(node_pid)
if [[ -n $pid ]]; then
<%- if generation == 3 %>
    # The node reads nodes.json and the certificate lists again on the first signal, the log level on the second.
    kill -USR1 "$pid"
    sleep 0.2
    kill -USR2 "$pid"
    sleep 0.2
<%- endif %>
    echo " $node is running, pid is $pid."
    exit 0
fi

<%- if generation == 3 %>
export RUST_LOG=bcos_wasm=error
<%- endif %>
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)" 2>/dev/null
# What earlier runs left in nohup.out must not be taken for this one's success.
before=0
[[ -f nohup.out ]] && before=$(wc -c <nohup.out)
nohup "$program" << arguments >> >>nohup.out 2>&1 </dev/null &

sleep 1
for _ in 1 2 3 4 5; do
    sleep 0.5
    pid=$(node_pid)
    if [[ -n $pid ]] && tail -c "+$((before + 1))" nohup.out | grep -q -e running -e 'initialize server'; then
        echo -e "\033[32m $node start successfully pid=$pid\033[0m"
        exit 0
    fi
done
echo -e "\033[31m  Exceed waiting time. Please try again to start $node \033[0m"
tail -n 20 nohup.out
exit << 0 if generation == 3 else 1 >>
