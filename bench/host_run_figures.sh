#!/usr/bin/env bash
# bench/host_run_figures.sh [ROUNDS [SECONDS]]: what recording and checking cost a load on the
# running kernel.  Needs root, stress-ng, and a quiet machine.
#
# The load of the report of 2020 (data=journal, stress-ng --mmap) on
#   plain      ext4 on a loop device on a file in memory, direct I/O: what the kernel does by itself
#   served     the same through Powercut's FUSE file: the requests in order, judged by nobody
#   checked    the same, each commit checked
#   recorded   the same, and each request written to a recording
# in turn, ROUNDS times.  A line a run: kind, bogo-ops of the load, MiB written to the disk a
# second, commits and tids.  At the end the medians of MiB/s, and what each costs beside the one
# above it.
set -euo pipefail
rounds=${1:-5}
seconds=${2:-20}
powercut=${POWERCUT_PROGRAM:-$(dirname "$(readlink -f "$0")")/../build/release/powercut}
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 3; }
[ -x "$powercut" ] || { echo "not built: $powercut (the release preset)"; exit 3; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Runs where the file system is mounted; the sectors are the block device's own count.
cat > "$work/load" << 'LOAD'
device=$(awk -v place="$PWD" '$2 == place {print substr($1, 6)}' /proc/self/mounts)
before=$(awk '{print $7}' "/sys/block/$device/stat")
stress-ng --mmap $((4 * $(nproc))) --mmap-file --timeout "$1" --metrics-brief 2>&1
echo "sectors $(($(awk '{print $7}' "/sys/block/$device/stat") - before))"
LOAD

# From what the load said: bogo-ops, and MiB a second.
figures() {
  awk -v seconds="$seconds" '/ mmap +[0-9]+ / { ops = $5 } $1 == "sectors" { sectors = $2 }
    END { printf "%s %.1f", ops, sectors / 2048 / seconds }' "$1"
}

plain() {
  unshare --mount --propagation slave bash -euo pipefail -c '
    mkdir -p "$1/memory" "$1/place"
    mount -t tmpfs -o size=1100m none "$1/memory"
    truncate -s 1024M "$1/memory/disk"
    mke2fs -q -F -t ext4 -b 4096 -J size=64 "$1/memory/disk"
    device=$(losetup --find --show --direct-io=on "$1/memory/disk")
    mount -o data=journal,errors=remount-ro "$device" "$1/place"
    losetup --detach "$device"  # when it is unmounted
    (cd "$1/place" && sh "$1/load" "$2") > "$1/words"
    umount "$1/place"' _ "$work" "$seconds"
  echo "plain $(figures "$work/words")"
}

run() {
  local kind=$1
  shift
  rm -f "$work/recording"
  "$powercut" run --json --output "$work/results" --seconds $((seconds + 60)) \
    --mount-options data=journal "$@" -- sh "$work/load" "$seconds" > "$work/json" || true
  python3 -c 'import json, sys
run = json.load(open(sys.argv[1]))["run_list"][0]
assert run["ending"] == "the load ended in order", run["trouble"]
open(sys.argv[2], "w").write(run["load_output"])
counters = run["counters"]
print(counters["commits"], counters["tids"], counters["findings"], run["record_trouble"])
' "$work/json" "$work/words" > "$work/more"
  echo "$kind $(figures "$work/words") $(cat "$work/more")"
}

for _ in $(seq "$rounds"); do
  plain
  run served --no-check
  run checked
  run recorded --record "$work/recording" --max-recording 16384
done | tee "$work/lines"

python3 - "$work/lines" << 'PY'
import statistics, sys
kinds = {}
for line in open(sys.argv[1]):
    words = line.split()
    kinds.setdefault(words[0], []).append(float(words[2]))
before = None
for kind, rates in kinds.items():
    rate = statistics.median(rates)
    more = f", {100 * (rate / before - 1):+.1f} % against the one above" if before else ""
    print(f"{kind:9} median {rate:.1f} MiB/s ({min(rates):.1f} to {max(rates):.1f}){more}")
    before = rate
PY
