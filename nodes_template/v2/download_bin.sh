#!/bin/bash
# Gets a released fisco-bcos into bin/, its checksum verified:  download_bin.sh [-v version] [-o directory]

version=<< version >>
into=bin
while getopts "v:o:h" option; do
    case $option in
        v) version=${OPTARG#v} ;;
        o) into=$OPTARG ;;
        *) echo "usage: $0 [-v version] [-o directory]"; exit 0 ;;
    esac
done
command -v fiscotool >/dev/null || { echo "fiscotool is not on the PATH: pip install fiscotool" >&2; exit 1; }
fiscotool binary fetch "$version" || exit
mkdir -p "$into" && cp "$(fiscotool binary path "$version")" "$into/fisco-bcos"
