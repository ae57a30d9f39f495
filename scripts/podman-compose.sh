#!/usr/bin/env bash
# Installs podman-compose from PyPI, once, and prints its path. Debian 12's version runs a health check by a shell, which the
# image lacks.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$PWD/node_modules/.cache/podman-compose-1.6.0
if [ ! -e "$folder" ]; then
  scripts/retry.sh python3 -m pip install --quiet --upgrade --no-deps --root-user-action=ignore --target "$folder.new" \
    podman-compose==1.6.0 python-dotenv==1.2.4 PyYAML==6.0.4
  mv "$folder.new" "$folder"
fi
echo "$folder/podman_compose.py"
