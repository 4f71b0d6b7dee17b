#!/usr/bin/env bash
# Makes the machine ready: Debian packages, the Swift toolchain's presence, and .venv. Does nothing that is done already.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
while read -r package; do
    [[ -z "$package" || "$package" == \#* ]] && continue
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done < scripts/apt-packages.txt
if ((${#missing[@]})); then
    echo "setup: installing ${missing[*]}"
    sudo=""
    [[ $EUID -eq 0 ]] || sudo=sudo
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

command -v swift >/dev/null || {
    echo "setup: no Swift toolchain found. Install Swift 6.3 or newer from https://swift.org/install and run this again." >&2
    exit 1
}

# The venv is made again when the requirements or the interpreter change.
stamp=.venv/.millstream-requirements
wanted="$(python3 --version) $(sha256sum requirements-dev.txt | cut -d' ' -f1)"
if [[ ! -f $stamp || "$(cat "$stamp")" != "$wanted" ]]; then
    echo "setup: making .venv"
    [[ -d .venv ]] || python3 -m venv .venv
    .venv/bin/pip install -q --disable-pip-version-check -r requirements-dev.txt
    echo "$wanted" > "$stamp"
fi

# Swift's driver leaves a folder behind in the temporary directory for each module that it compiles, hundreds a day. Those of builds that are over go.
find "${TMPDIR:-/tmp}" -mindepth 2 -maxdepth 2 -path '*/TemporaryDirectory.??????/.keep-directory' -user "$(id -un)" -mmin +120 -printf '%h\0' 2>/dev/null |
    xargs -0 -r rm -rf || true
