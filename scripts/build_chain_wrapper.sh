#!/usr/bin/env bash
# Finds the official build_chain.sh of FISCO BCOS 3 or 2, makes sure that it is the one it should be, and runs it with the options given.
#
#   build_chain_wrapper.sh [--script FILE] [--generation 2|3] [--where] [options of build_chain.sh]
#
#   --script FILE     use this copy
#   --generation N    the script of FISCO BCOS N; without it, what -v says, else 3
#   --where           only find and verify it; print its path
#
# Where it is looked for: --script, $FISCOTOOL_BUILD_CHAIN (2.x: $FISCOTOOL_BUILD_CHAIN_2), the cache ($FISCOTOOL_CACHE, else
# $XDG_CACHE_HOME/fiscotool, else ~/.cache/fiscotool), and then it is downloaded into the cache. Whatever is found must have one of the
# checksums below; to use another version, give its checksum in FISCOTOOL_BUILD_CHAIN_SHA256 (2.x: FISCOTOOL_BUILD_CHAIN_2_SHA256).
# FISCOTOOL_BUILD_CHAIN_URL (2.x: FISCOTOOL_BUILD_CHAIN_2_URL) names another place to download from.
#
# Exit status: 0 done, 2 wrong options of this script, 3 it cannot be had, is not the right one, or did not make a chain.
# build_chain.sh itself ends with 0 after several kinds of failure; here only a chain that is there counts as success.

set -u

fail() { # status, fact, next step
    echo "error: $2" >&2
    echo "hint: $3" >&2
    exit "$1"
}

script=
where=
generation=
while (($#)); do
    case $1 in
        --script)
            (($# > 1)) || fail 2 "--script needs a file" "--script path/to/build_chain.sh"
            script=$2
            shift 2
            ;;
        --generation)
            [[ ${2:-} == [23] ]] || fail 2 "--generation needs 2 or 3" "--generation 3"
            generation=$2
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

arguments=("$@")
if [[ -z $generation ]]; then
    generation=3
    for ((k = 0; k < ${#arguments[@]}; k++)); do
        case ${arguments[k]} in
            -v) [[ ${arguments[k + 1]:-} =~ ^[vV]?2\. ]] && generation=2 ;;
            -v?*) [[ ${arguments[k]#-v} =~ ^[vV]?2\. ]] && generation=2 ;;
        esac
    done
fi

home_page=https://raw.githubusercontent.com/FISCO-BCOS/FISCO-BCOS
if [[ $generation == 3 ]]; then
    release=v3.16.4
    checksums=${FISCOTOOL_BUILD_CHAIN_SHA256:-7656ca5c72c45accd0d2754ed2ecee96f46d03b4d21da979e9c38b40e16cc4b9}
    url=${FISCOTOOL_BUILD_CHAIN_URL:-$home_page/$release/tools/BcosAirBuilder/build_chain.sh}
    variable=FISCOTOOL_BUILD_CHAIN
    named=${FISCOTOOL_BUILD_CHAIN:-}
else
    # The script of 2.11.1 makes chains of 2.9 and later; 2.9.1's own refuses OpenSSL 3. Also accepted: branch master-2.0, and v2.9.1.
    release=v2.11.1
    checksums="6f12a97c6b2dbc9b24c1f1ae93db891e1dbf4711fce40ae302975c198d6001d9
        5ecd616c51479a7547a509ca6688e6c06369b7cb372a4f1ce5800a87fc485b03
        3cf234308b05a57b41bb8f4eef6acaaac135993109699e828bbd551e154458c9"
    checksums=${FISCOTOOL_BUILD_CHAIN_2_SHA256:-$checksums}
    url=${FISCOTOOL_BUILD_CHAIN_2_URL:-$home_page/$release/tools/build_chain.sh}
    variable=FISCOTOOL_BUILD_CHAIN_2
    named=${FISCOTOOL_BUILD_CHAIN_2:-}
fi
cache=${FISCOTOOL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fiscotool}

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
    local found each
    found=$(sha256_of "$1")
    for each in $checksums; do
        [[ $found == "$each" ]] && return
    done
    fail 3 "$1 is not build_chain.sh of $release: its sha256 is $found, not ${checksums%%[[:space:]]*}" \
        "take it from $url; or, if you trust this one, set ${variable}_SHA256=$found"
}

download() { # target
    local part=$1.part-$$
    command -v curl >/dev/null || fail 3 "build_chain.sh is not on this machine, and without curl it cannot be downloaded" "install curl, or give it with --script"
    mkdir -p "$(dirname "$1")" || fail 3 "the cache $(dirname "$1") cannot be made" "set FISCOTOOL_CACHE to a directory that can be written"
    trap 'rm -f "$part"' EXIT
    echo "downloading build_chain.sh of $release" >&2
    curl --fail --silent --show-error --location --connect-timeout 5 --max-time 60 --output "$part" "$url" ||
        fail 3 "build_chain.sh is not on this machine, and $url cannot be reached" \
            "on a machine with network download that file, copy it here and set $variable=<its path>; or use fiscotool deploy, which needs no network"
    require_right "$part"
    mv "$part" "$1"
    trap - EXIT
}

if [[ -n $script ]]; then
    require_right "$script"
elif [[ -n $named ]]; then
    script=$named
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
output=nodes
action=deploy
is_sm=
options=()
for ((k = 0; k < ${#arguments[@]}; k++)); do
    case ${arguments[k]} in
        -o)
            output=${arguments[k + 1]:-}
            ((++k))
            continue
            ;;
        -o?*)
            output=${arguments[k]#-o}
            continue
            ;;
        -C) [[ $generation == 3 ]] && action=${arguments[k + 1]:-} ;;
        -C?*) [[ $generation == 3 ]] && action=${arguments[k]#-C} ;;
        -s) [[ $generation == 3 ]] && is_sm=yes ;;
        -g) [[ $generation == 2 ]] && is_sm=yes ;;
        -h) action=help ;;
        -q) [[ $generation == 2 ]] && action=list ;;
    esac
    options+=("${arguments[k]}")
done
if [[ $generation == 2 ]]; then
    # The script of 2.x puts the working directory before -o, also before an absolute path, and splits its options at blanks.
    for word in "$PWD" "$output" ${arguments[@]+"${arguments[@]}"}; do
        [[ $word =~ [[:space:]] ]] &&
            fail 2 "build_chain.sh of FISCO BCOS 2 cannot work with blanks, and there is one in '$word'" "use paths and values without blanks"
    done
    if [[ $output == /* ]]; then
        cd -P . || exit 3
        up=$PWD
        back=
        while [[ -n ${up//\//} ]]; do
            up=${up%/*}
            back+=../
        done
        output=$back${output#/}
    fi
fi
existed=
[[ -e $output ]] && existed=yes

bash "$script" ${options[@]+"${options[@]}"} -o "$output"
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
if [[ $generation == 2 && -n $is_sm && ! -x $HOME/.fisco/tassl ]]; then
    fail 3 "build_chain.sh made no chain (status $status): national cryptography needs ~/.fisco/tassl, which is not there and could not be downloaded" \
        "put tassl of https://github.com/FISCO-BCOS/TASSL there; or leave -g out"
elif [[ $generation == 3 && ! -x $HOME/.fisco/tassl-1.1.1b ]]; then
    fail 3 "build_chain.sh made no chain (status $status): it needs ~/.fisco/tassl-1.1.1b, which is not there and could not be downloaded" \
        "without -s an ordinary openssl does: mkdir -p ~/.fisco && ln -s \"\$(command -v openssl)\" ~/.fisco/tassl-1.1.1b"
elif [[ $generation == 3 && -z $is_sm && ! -f $HOME/.fisco/get_account.sh ]]; then
    fail 3 "build_chain.sh made no chain (status $status): it needs ~/.fisco/get_account.sh, which is not there and could not be downloaded" \
        "put get_account.sh of FISCO BCOS' console there; or use fiscotool deploy, which brings its own"
elif [[ -n $existed ]]; then
    fail 3 "build_chain.sh made no chain (status $status): $output exists" "name another directory with -o, or remove that one"
fi
fail 3 "build_chain.sh made no chain (status $status)" "see what it says above, and: $0 -h"
