#!/bin/sh
# Copies what the chart ships from where it is written: a chart cannot read files outside its own folder.
# `make generate` runs it after `crds/` is generated; tests/chart.rs fails when a copy differs.
set -eu
cd "$(dirname "$0")/.."
files=deploy/helm/backstay/files
# Nothing is removed before its source is known to be there.
ls crds/*.yaml deploy/dashboards/backstay.json deploy/alerts/backstay.yaml >/dev/null
rm -rf "$files"
mkdir -p "$files/crds" "$files/dashboards" "$files/alerts"
cp crds/*.yaml "$files/crds/"
cp deploy/dashboards/backstay.json "$files/dashboards/"
cp deploy/alerts/backstay.yaml "$files/alerts/"
