#!/bin/sh
# Runs the tests on pairs of ansible-core and Python, such as 2.20:python3.13, or on all supported ones, and shows how
# each ended. A pair whose Python is neither a command nor one of pyenv is named and left out. Fails if none passed.
set -u
[ $# -gt 0 ] || set -- lowest:python3.11 2.18:python3.11 2.18:python3.12 2.18:python3.13 \
	2.19:python3.11 2.19:python3.12 2.19:python3.13 2.20:python3.12 2.20:python3.13 2.20:python3.14 \
	2.21:python3.12 2.21:python3.13 2.21:python3.14

table='' passed=0 failed=0
for pair; do
	core=${pair%%:*} name=${pair#*:} outcome='not installed' begun=$(date +%s)
	# pyenv has commands that fail, of each version that is not activated.
	for python in "$name" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/"$name"; do
		"$python" -c 'import ensurepip, venv' 2>/dev/null || continue
		printf '\n==> %s\n' "$pair"
		if make test-all PARTS='integration-quick sanity unit' CORE="$core" PYTHON="$python"; then
			outcome=passed passed=1
		else
			outcome=FAILED failed=1
		fi
		break
	done
	table="$table$(printf '%-20s %-14s %5d s' "$pair" "$outcome" $(($(date +%s) - begun)))
"
done
printf '\n%s' "$table"
[ $passed = 1 ] && [ $failed = 0 ]
