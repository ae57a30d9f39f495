#!/usr/bin/env bash
# Prints the folder of a Go that builds the tools, for a Go before 1.21 (Debian 12 has 1.19), which cannot fetch one by
# itself. It is fetched as a module, as newer ones do, and checked against Go's checksum database.
#   usage: PATH=$(scripts/newer-go.sh):$PATH
set -euo pipefail

module=golang.org/toolchain@v0.0.1-go1.25.5.$(go env GOOS)-$(go env GOARCH)
folder=$("$(dirname "$0")/retry.sh" go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
# A module has no executable files.
chmod +x "$folder"/bin/* "$folder"/pkg/tool/*/*
echo "$folder/bin"
