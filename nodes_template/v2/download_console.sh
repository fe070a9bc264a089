#!/bin/bash
# Gets the Java console of FISCO BCOS 2 into console/:  download_console.sh [-V version] [-f]
#   -V   release of the console (default << console_version >>)
#   -f   write its conf/config.toml for the first node here, and copy the certificates of sdk/

cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
version=<< console_version >>
configure=
while getopts "V:v:fh" option; do
    case $option in
        V) version=${OPTARG#v} ;;
        f) configure=yes ;;
        v) ;; # the compiler's version is chosen in the console since 2.7
        *) echo "usage: $0 [-V version] [-f]"; exit 0 ;;
    esac
done
[[ -e console ]] && { echo "console/ exists already" >&2; exit 1; }
link=https://github.com/FISCO-BCOS/console/releases/download/v$version/console.tar.gz
curl --fail --location --connect-timeout 10 --output console.tar.gz.part "$link" || {
    rm -f console.tar.gz.part
    echo "cannot be downloaded: $link" >&2
    echo "get it on a machine with network, copy it here and unpack it: tar -xzf console.tar.gz" >&2
    exit 1
}
mv console.tar.gz.part console.tar.gz && tar -xzf console.tar.gz && rm console.tar.gz || exit 1
if [[ -n $configure ]]; then
    port=$(sed -n 's/^[[:space:]]*channel_listen_port[[:space:]]*=[[:space:]]*//p' node0/config.ini)
    cp console/conf/config-example.toml console/conf/config.toml
    sed -i "s/127.0.0.1:20200/127.0.0.1:$port/; s/127.0.0.1:20201/127.0.0.1:$port/" console/conf/config.toml
    cp sdk/* console/conf/
fi
