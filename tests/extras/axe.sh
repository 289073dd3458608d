#!/usr/bin/env bash
# axe-core, which looks for what hinders people with disabilities: unpacked from npm into out/axe, once.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -f out/axe/package/axe.min.js ] && exit 0
command -v npm >/dev/null || { echo "no npm: the page will not be looked over by axe" >&2; exit 0; }
mkdir -p out/axe
cd out/axe
npm pack --silent axe-core@4 >/dev/null
tar -xzf axe-core-*.tgz
