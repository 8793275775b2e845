# shellcheck shell=bash disable=SC2034
# What the programs on an instance share. Sourced, never run. Nothing in these files is filled in by anyone: what differs between
# instances and sessions is read at run time, from the instance's metadata, its configuration and the session's payload.

set -euo pipefail
umask 077

# Where things lie. Tests set the variables; an instance does not.
readonly conf_file=${BGAGENT_CONF:-/etc/bgagent/instance.conf}
readonly run_dir=${BGAGENT_RUN_DIR:-/run/bgagent}
readonly state_dir=${BGAGENT_STATE_DIR:-/var/lib/bgagent}
readonly imds=${BGAGENT_IMDS:-http://169.254.169.254}
readonly poll_s=${BGAGENT_POLL_S:-1}
readonly sessions_dir=$run_dir/sessions
readonly stopped_dir=$run_dir/stopped

# Exit codes, known to the platform (ssm.ts, lifecycle.ts). None is 194, which means "reboot" to Systems Manager.
readonly wrong_use=64 payload_gone=66 payload_bad=67 platform_unreachable=69 machine_busy=73 still_there=74 refused=77
readonly interrupted=83

say() { printf 'bgagent: %s\n' "$*" >&2; }

die() {
  local code=$1
  shift
  say "$*"
  exit "$code"
}

# The value of a path of the metadata (IMDSv2 only). Fails when there is none.
metadata() {
  local token
  token=$(curl --silent --fail --max-time 5 --request PUT \
    --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$imds/latest/api/token") || return 1
  # By standard input: a header in an argument would show in the list of processes.
  curl --silent --fail --max-time 5 --config - "$imds/latest/$1" <<CONFIG
header = "X-aws-ec2-metadata-token: $token"
CONFIG
}

# Tells AWS's tools where they are.
export_region() {
  local region
  region=$(metadata meta-data/placement/region) || die "$wrong_use" 'the instance metadata does not answer'
  [[ $region =~ ^[a-z0-9-]+$ ]] || die "$wrong_use" 'the instance metadata gives no region'
  export AWS_REGION=$region AWS_DEFAULT_REGION=$region
}

# The value of a key in the instance's configuration: `key value`, one a line.
conf() {
  local wanted=$1 key value
  while read -r key value; do
    if [[ $key == "$wanted" ]]; then
      printf '%s' "$value"
      return 0
    fi
  done <"$conf_file"
  return 1
}

is_task() { [[ $1 =~ ^[0-9A-HJKMNP-TV-Z]{26}$ ]]; }
is_epoch() { [[ $1 =~ ^[1-9][0-9]{0,5}$ ]]; }
is_seconds() { [[ $1 =~ ^[1-9][0-9]{0,5}$ ]]; }
is_session() { [[ $1 =~ ^[0-9A-HJKMNP-TV-Z]{26}-[1-9][0-9]{0,5}$ ]]; }

unit_of() { printf 'bgagent-session@%s.service' "$1"; }
container_of() { printf 'bgagent-%s' "$1"; }
