#!/usr/bin/env bash
# Installs the tools of test/orchestration into node_modules/.cache/orchestration, all pinned (docs/dependencies.md).
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(realpath -m node_modules/.cache/orchestration)
mkdir -p "$tools/bin"
[ -x "$tools/bin/helm" ] || GOBIN=$tools/bin scripts/retry.sh go install helm.sh/helm/v3/cmd/helm@v3.19.2
[ -x "$tools/bin/kustomize" ] || GOBIN=$tools/bin scripts/retry.sh go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
[ -d "$tools/python/ansible" ] ||
  scripts/retry.sh python3 -m pip install --quiet --target "$tools/python" ansible-core==2.17.7 kubernetes-validate==1.37.0
