#!/usr/bin/env bash
# Placeholder until the wrapper lands in this same change set.
exit 3
