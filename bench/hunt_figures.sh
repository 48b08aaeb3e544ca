#!/usr/bin/env bash
# The figures of docs/figures.md on hunts: bench/hunt_figures.sh [TRIES] [FOLDER]
#
# TRIES (10) hunts on Linux 6.1 until the first mismatch, each followed by its proof; then as many
# on Linux 6.12, each as long as the longest of the first kind, but at least 20 s.  A line a try,
# and the counts at the end.  FOLDER (a new one in /tmp) keeps the JSON; the images are removed.
set -u
tries=${1:-10}
folder=${2:-$(mktemp -d /tmp/powercut-figures.XXXXXX)}
powercut=$(dirname "$(readlink -f "$0")")/../build/release/powercut
mkdir -p "$folder" || exit 3

# field FILE NAME: the first value of that name in a document of ours.
field() { sed -n "s/^ *\"$2\": \(.*[^,]\),\{0,1\}$/\1/p" "$1" | head -n 1; }

longest=20 within=0 same=0
for try in $(seq "$tries"); do
  out=$folder/bad-$try
  "$powercut" hunt debian:6.1 --until-first --seconds 60 --json --output "$out" \
    >"$out.json" 2>>"$folder/log"
  image=$(field "$out.json" kept_image | tr -d '"')
  "$powercut" prove "$image" --json >"$out.proof.json" 2>>"$folder/log"
  named=$(field "$out.json" home) seconds=$(field "$out.json" first_finding_seconds)
  # The blocks that the three opinions name, one line each.
  opinions=$(tr -d '\n ' <"$out.proof.json" | grep -o '"damaged_blocks":\[[0-9,]*\]' | sort -u)
  refuses=$(field "$out.proof.json" refuses)
  verdict=differs
  [ "$refuses" = true ] && [ "$(wc -l <<<"$opinions")" = 1 ] && grep -qw "$named" <<<"$opinions" &&
    verdict=same && same=$((same + 1))
  awk -v s="$seconds" 'BEGIN { exit !(s <= 10) }' && within=$((within + 1))
  longest=$(awk -v a="$longest" -v b="$seconds" 'BEGIN { print (b > a) ? int(b + 1) : a }')
  commit=$(field "$out.json" commit_number)
  echo "6.1  try $try: first mismatch after $seconds s of load, commit $commit," \
    "block $named; Linux refuses: $refuses; named blocks: $verdict ($opinions)"
  rm -rf "$out"
done
clean=0
for try in $(seq "$tries"); do
  out=$folder/good-$try
  "$powercut" hunt debian:6.12 --seconds "$longest" --json --output "$out" \
    >"$out.json" 2>>"$folder/log"
  found=$(field "$out.json" mismatches)
  [ "$found" = 0 ] && [ "$(field "$out.json" runs)" = 1 ] && clean=$((clean + 1))
  commits=$(field "$out.json" commits)
  echo "6.12 try $try: $found mismatches in $commits commits and $longest s of load"
  rm -rf "$out"
done
echo "6.1: first mismatch within 10 s in $within of $tries"
echo "6.1: the refused block is the named one in $same of $tries"
echo "6.12: clean in $clean of $tries"
