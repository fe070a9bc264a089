#!/usr/bin/env bash
# Finds the official build_chain.sh of FISCO BCOS 3, makes sure that it is the one it should be, and runs it with the options given.
#
#   build_chain_wrapper.sh [--script FILE] [--where] [options of build_chain.sh]
#
#   --script FILE   use this copy
#   --where         only find and verify it; print its path
#
# Where it is looked for: --script, $FISCOTOOL_BUILD_CHAIN, the cache ($FISCOTOOL_CACHE, else $XDG_CACHE_HOME/fiscotool, else
# ~/.cache/fiscotool), and then it is downloaded into the cache. Whatever is found must have the checksum below; to use another version,
# give its checksum in FISCOTOOL_BUILD_CHAIN_SHA256. FISCOTOOL_BUILD_CHAIN_URL names another place to download from.
#
# Exit status: 0 done, 2 wrong options of this script, 3 it cannot be had, is not the right one, or did not make a chain.
# build_chain.sh itself ends with 0 after several kinds of failure; here only a chain that is there counts as success.

set -u

release=v3.16.4
checksum=${FISCOTOOL_BUILD_CHAIN_SHA256:-7656ca5c72c45accd0d2754ed2ecee96f46d03b4d21da979e9c38b40e16cc4b9}
url=${FISCOTOOL_BUILD_CHAIN_URL:-https://raw.githubusercontent.com/FISCO-BCOS/FISCO-BCOS/$release/tools/BcosAirBuilder/build_chain.sh}
cache=${FISCOTOOL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fiscotool}

fail() { # status, fact, next step
    echo "error: $2" >&2
    echo "hint: $3" >&2
    exit "$1"
}

sha256_of() {
    if command -v sha256sum >/dev/null; then
        sha256sum <"$1" | cut -d ' ' -f 1
    elif command -v shasum >/dev/null; then
        shasum -a 256 <"$1" | cut -d ' ' -f 1
    else
        openssl dgst -sha256 <"$1" | sed 's/.* //'
    fi
}

require_right() { # file
    [[ -f $1 && -r $1 ]] || fail 3 "$1 is not a file that can be read" "name the official build_chain.sh, or let it be downloaded"
    local found
    found=$(sha256_of "$1")
    [[ $found == "$checksum" ]] ||
        fail 3 "$1 is not build_chain.sh of $release: its sha256 is $found, not $checksum" \
            "take it from $url; or, if you trust this one, set FISCOTOOL_BUILD_CHAIN_SHA256=$found"
}

download() { # target
    local part=$1.part-$$
    command -v curl >/dev/null || fail 3 "build_chain.sh is not on this machine, and without curl it cannot be downloaded" "install curl, or give it with --script"
    mkdir -p "$(dirname "$1")" || fail 3 "the cache $(dirname "$1") cannot be made" "set FISCOTOOL_CACHE to a directory that can be written"
    trap 'rm -f "$part"' EXIT
    echo "downloading build_chain.sh of $release" >&2
    curl --fail --silent --show-error --location --connect-timeout 5 --max-time 60 --output "$part" "$url" ||
        fail 3 "build_chain.sh is not on this machine, and $url cannot be reached" \
            "on a machine with network download that file, copy it here and set FISCOTOOL_BUILD_CHAIN=<its path>; or use fiscotool deploy, which needs no network"
    require_right "$part"
    mv "$part" "$1"
    trap - EXIT
}

script=
where=
while (($#)); do
    case $1 in
        --script)
            (($# > 1)) || fail 2 "--script needs a file" "--script path/to/build_chain.sh"
            script=$2
            shift 2
            ;;
        --where)
            where=yes
            shift
            ;;
        --)
            shift
            break
            ;;
        *) break ;;
    esac
done

if [[ -n $script ]]; then
    require_right "$script"
elif [[ -n ${FISCOTOOL_BUILD_CHAIN:-} ]]; then
    script=$FISCOTOOL_BUILD_CHAIN
    require_right "$script"
else
    script=$cache/build_chain-$release.sh
    [[ -f $script ]] || download "$script"
    require_right "$script"
fi

if [[ -n $where ]]; then
    echo "$script"
    exit 0
fi

# What build_chain.sh was asked for: only a deployment can be checked, and only what it made may be cleared away.
output=./nodes
action=deploy
arguments=("$@")
for ((k = 0; k < ${#arguments[@]}; k++)); do
    case ${arguments[k]} in
        -o) output=${arguments[k + 1]:-} ;;
        -o?*) output=${arguments[k]#-o} ;;
        -C) action=${arguments[k + 1]:-} ;;
        -C?*) action=${arguments[k]#-C} ;;
        -h) action=help ;;
    esac
done
existed=
[[ -e $output ]] && existed=yes

bash "$script" "$@"
status=$?

[[ $action == deploy ]] || exit "$status"
made=(no)
[[ -z $existed ]] && made=("$output"/*/node*/config.ini)
if ((status == 0)) && [[ -f ${made[0]} ]]; then
    (cd "$output" && pwd)
    exit 0
fi

if [[ -z $existed && -d $output ]]; then
    rm -rf "$output"
    echo "the half-made $output was removed" >&2
fi
if [[ ! -x $HOME/.fisco/tassl-1.1.1b ]]; then
    fail 3 "build_chain.sh made no chain (status $status): it needs ~/.fisco/tassl-1.1.1b, which is not there and could not be downloaded" \
        "without -s an ordinary openssl does: mkdir -p ~/.fisco && ln -s \"\$(command -v openssl)\" ~/.fisco/tassl-1.1.1b"
elif [[ ! -f $HOME/.fisco/get_account.sh ]]; then
    fail 3 "build_chain.sh made no chain (status $status): it needs ~/.fisco/get_account.sh, which is not there and could not be downloaded" \
        "put get_account.sh of FISCO BCOS' console there; or use fiscotool deploy, which brings its own"
elif [[ -n $existed ]]; then
    fail 3 "build_chain.sh made no chain (status $status): $output exists" "name another directory with -o, or remove that one"
fi
fail 3 "build_chain.sh made no chain (status $status)" "see what it says above, and: $0 -h"
