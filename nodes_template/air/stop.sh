#!/bin/bash
# Asks the node of this directory to end (SIGTERM) and waits up to ten seconds until it has.

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
if [[ -z $pid ]]; then
    echo " $node isn't running."
    exit 0
fi
kill "$pid" >/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do
    sleep 1
    if [[ -z $(node_pid) ]]; then
        echo -e "\033[32m stop $node success.\033[0m"
        exit 0
    fi
done
echo "  Exceed maximum number of retries. Please try again to stop $node"
exit 1
