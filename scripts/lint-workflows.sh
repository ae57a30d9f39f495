#!/usr/bin/env bash
# Lints .github/workflows without the network's help: actionlint (built by Go) and zizmor (from PyPI), both pinned.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(realpath -m node_modules/.cache/workflows)
mkdir -p "$tools"
[ -x "$tools/actionlint" ] || GOBIN=$tools scripts/retry.sh go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7
[ -x "$tools/zizmor/bin/zizmor" ] || scripts/retry.sh python3 -m pip install --quiet --target "$tools/zizmor" zizmor==1.32.0
"$tools/actionlint"
"$tools/zizmor/bin/zizmor" --offline --no-progress --quiet .github
