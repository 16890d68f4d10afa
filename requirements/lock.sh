#!/bin/sh
# Pins the requirements, with hashes and without the address of an index; with --upgrade, at the newest versions. Needs
# the uv that `make setup` installs.
set -eu
cd "$(dirname "$0")/.."

upgrade=${1:-}

compile() {
	.venv/bin/uv pip compile ${upgrade:+"$upgrade"} --quiet --no-config --universal --generate-hashes --no-header "$@"
}
for name in demo dev uv bench; do
	compile --python-version 3.11 "requirements/$name.in" --output-file "requirements/$name.txt"
done

# Versions that replace those of dev.txt: core CORE PYTHON PIN...
core() {
	name=$1 python=$2
	shift 2
	printf '%s\n' "$@" | compile --no-deps --python-version "$python" - --output-file "requirements/core-$name.txt"
}
# ansible-galaxy of ansible-core 2.18 refuses the newest resolvelib.
core lowest 3.11 ansible-core==2.18.0 requests==2.28.1 urllib3==1.26.12 'charset-normalizer<3' 'resolvelib<1.1' \
	psycopg==3.1.8 psycopg-binary==3.1.8
core 2.18 3.11 'ansible-core==2.18.*' 'resolvelib<1.1'
core 2.19 3.11 'ansible-core==2.19.*'
core 2.20 3.12 'ansible-core==2.20.*'
core 2.21 3.12 'ansible-core==2.21.*'
core next 3.13 'ansible-core>=2.22.0b1'
