#!/bin/bash
# Lets the running node read [certificate_whitelist] of config.ini again.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
touch config.ini.reset_certificate_whitelist
echo "${PWD##*/} reads its certificate whitelist again; see its log"
