#!/usr/bin/env bash
# A browser for the test of the site: Debian's, installed where that is allowed; else the test says that there is none.
set -euo pipefail
command -v chromium chromium-browser google-chrome >/dev/null && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "no browser and no right to install one: the test of the site will be skipped" >&2
  exit 0
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
