#!/usr/bin/env bash
# Shows the collection with a simulated service: lists, declares and changes a fleet, and restores a broken instance.
# `make demo` runs it with all dependencies. It never contacts the real service.
set -euo pipefail
cd "$(dirname "$0")/.."

bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
export ANSIBLE_FORCE_COLOR=1
if [[ ! -t 1 || -n ${NO_COLOR:-} ]]; then
  bold='' dim='' plain=''
  export ANSIBLE_FORCE_COLOR=0 ANSIBLE_NOCOLOR=1
fi
export ANSIBLE_CONFIG=$PWD/examples/ansible.cfg ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=true ANSIBLE_DISPLAY_SKIPPED_HOSTS=false

# Prints a heading and a command, then runs the command; `typing ANSWER step ...` answers its question.
step() {
  local heading=$1
  shift
  printf '\n%s%s%s\n%s$ %s%s\n' "$bold" "$heading" "$plain" "$dim" "$*" "$plain"
  "${typist[@]}" "$@"
}
typist=()
typing() {
  local typist=(python tests/support/typist.py "$1")
  "${@:2}"
}

# The simulator prints its URL when it is ready, and exits with this script.
coproc SIMULATOR { PYTHONPATH=tests exec python -m simulator --instances 60 --exit-with-parent; }
simulator=$SIMULATOR_PID
trap 'kill "$simulator" 2>/dev/null; wait "$simulator" 2>/dev/null || true' EXIT
if ! read -r -t 30 url <&"${SIMULATOR[0]}"; then
  echo 'The simulator did not start; its output is above.' >&2
  exit 1
fi
export CLAWHOSTERS_API_URL=$url CLAWHOSTERS_API_KEY=oc_live_rehearsal_0000 CLAWHOSTERS_STATE_DIR=$PWD/build/demo/state
printf '%sA simulated ClawHosters account with 60 instances runs at%s %s\n' "$bold" "$plain" "$url"

fleet=(ansible-playbook clawhosters.cloud.fleet -e @examples/fleet_vars.yml)
reports=build/demo
mkdir -p "$reports"

step 'List the running instances as an inventory' ansible-inventory -i examples/fleet.clawhosters.yml --graph
step 'Plan the changes: check mode sends only GET requests' "${fleet[@]}" --check --diff
step 'Apply the plan' "${fleet[@]}"
step 'Apply it again: nothing changes' "${fleet[@]}"

printf '\n%sBreak web-bot in the simulator%s\n' "$bold" "$plain"
python - "${url%/api/v1}/_sim/instances/1" <<'PYTHON'
import sys, requests
response = requests.patch(sys.argv[1], json={"health_status": "unhealthy"}, timeout=10)
response.raise_for_status()
print("{name} (id {id}) is {status}, {health_status}.".format(**response.json()))
PYTHON
incident=DEMO-$(date +%s)
restore=(ansible-playbook clawhosters.cloud.restore -e restore_instances=web-bot -e "restore_incident=$incident"
  -e "restore_report_dir=$reports")
typing web-bot step 'Run the restore runbook; this script types the answer' "${restore[@]}"
step 'Write a report of the whole fleet' ansible-playbook clawhosters.cloud.fleet_report -e "fleet_report_path=$reports/fleet.html"

printf '\n%sDone.%s To use your own account, install the collection (README, "Installation"), export\n' "$bold" "$plain"
printf 'CLAWHOSTERS_API_KEY, and list your instances in examples/fleet_vars.yml. Open the reports in a browser:\n'
printf '  %s\n' "$PWD/$reports/$incident.html" "$PWD/$reports/fleet.html"
