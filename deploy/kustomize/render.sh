#!/bin/sh
# Renders the Kustomize base from the Helm chart's templates.
set -eu
cd "$(dirname "$0")"
helm template quantus-miner ../helm --kube-version 1.34.0 --values values.yaml >base/quantus-miner.yaml
