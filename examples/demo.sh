#!/usr/bin/env bash
# The collection at work on a simulated service: what runs, what would change, the change, and nothing left to change.
# `make demo` runs this with everything it needs. Nothing of it reaches the real service.
set -euo pipefail
cd "$(dirname "$0")/.."

bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
export ANSIBLE_FORCE_COLOR=1
if [[ ! -t 1 || -n ${NO_COLOR:-} ]]; then
  bold='' dim='' plain=''
  export ANSIBLE_FORCE_COLOR=0 ANSIBLE_NOCOLOR=1
fi
export ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_INVENTORY_UNPARSED_WARNING=false

# Prints a heading and a command, and runs it.
step() {
  local heading=$1
  shift
  printf '\n%s%s%s\n%s$ %s%s\n' "$bold" "$heading" "$plain" "$dim" "$*" "$plain"
  "$@"
}

# The simulator prints its address as soon as it answers, and ends when this script does.
coproc SIMULATOR { PYTHONPATH=tests exec python -m simulator --instances 60 --exit-with-parent; }
simulator=$SIMULATOR_PID
trap 'kill "$simulator" 2>/dev/null; wait "$simulator" 2>/dev/null || true' EXIT
if ! read -r -t 30 url <&"${SIMULATOR[0]}"; then
  echo 'The simulator did not start; what it said is above.' >&2
  exit 1
fi
export CLAWHOSTERS_API_URL=$url CLAWHOSTERS_API_KEY=oc_live_rehearsal_0000
printf '%sA simulated ClawHosters account with 60 instances answers at%s %s\n' "$bold" "$plain" "$url"

step 'What runs, as an inventory' ansible-inventory -i examples/fleet.clawhosters.yml --graph
step 'The plan: what would change. Nothing is sent but reads' ansible-playbook examples/fleet.yml --check --diff
step 'The plan carried out' ansible-playbook examples/fleet.yml
step 'Once more: everything is as declared, so nothing changes' ansible-playbook examples/fleet.yml

printf '\n%sDone.%s The same files work for your account: export CLAWHOSTERS_API_KEY, name your instances in\n' "$bold" "$plain"
printf 'examples/fleet_vars.yml, and run the commands above.\n'
