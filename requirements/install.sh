#!/bin/sh
# Makes a virtual environment of PYTHON in FOLDER, with the versions of the files: install.sh PYTHON FOLDER FILE [FILE].
# uv installs in seconds, pip in a minute; without uv, pip does it. The second file holds versions that replace some of
# the first.
set -eu
python=$1 folder=$2 file=$3 others=${4:-}

if ! "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
	echo "PYTHON=$python is not Python 3.11 or newer with venv (Debian: python3-venv). Set another one: make PYTHON=python3.13" >&2
	exit 1
fi
if [ -L "$folder" ]; then
	echo "$folder is a link to another environment; not deleting that." >&2
	exit 1
fi
echo "Setting up $folder with the versions in $file ..."
"$python" -m venv --clear "$folder"

pip() {
	"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes "$@"
}
install() {
	UV_SYSTEM_CERTS=1 UV_CACHE_DIR=build/uv "$folder/bin/uv" pip install --quiet --python "$folder/bin/python" \
		--require-hashes "$@" || pip "$@"
}
pip --requirement requirements/uv.txt || true
install --requirement "$file"
[ -z "$others" ] || install --no-deps --requirement "$others"
