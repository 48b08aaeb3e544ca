#!/usr/bin/env bash
# scripts/install.sh with a false apt, dpkg, id and sudo before the true ones: what it says, what it
# installs, when it stops.  Nothing of this machine is asked or changed.
set -u
repository=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
wrong=0

# A machine: the folder `installed` holds a file for each package, `log` what apt was told.
mkdir -p "$scratch/bin" "$scratch/root/scripts/packages" "$scratch/lists"
cd "$scratch" || exit 1
printf 'compiler  # why\n' >root/scripts/packages/build.txt
printf '# a comment\nmachine\nextra\n' >root/scripts/packages/run.txt
cat >bin/dpkg-query <<'S'
#!/bin/sh
for package; do :; done
if [ -e "$SCRATCH/installed/$package" ]; then echo installed; else exit 1; fi
S
cat >bin/id <<'S'
#!/bin/sh
echo "$FALSE_UID"
S
cat >bin/apt-cache <<'S'
#!/bin/sh
if [ "$2" = "$NOT_OFFERED" ]; then echo "  Candidate: (none)"; else echo "  Candidate: 1.0"; fi
seq 100000 || exit 100  # what is behind it is long: whoever stops reading early breaks the pipe
S
cat >bin/apt-get <<'S'
#!/bin/sh
case "$*" in
  *--assume-no*)
    [ -n "$REMOVED" ] && printf 'The following packages will be REMOVED:\n  %s\n' "$REMOVED"
    printf 'The following NEW packages will be installed:\n  compiler machine extra\n'
    echo "0 upgraded, 3 newly installed, 0 to remove and 0 not upgraded."
    echo "Need to get 19.0 MB/19.3 MB of archives."
    echo "After this operation, 40.6 MB of additional disk space will be used."
    exit 1 ;;
  *" update") echo update >>"$SCRATCH/log" ;;
  *" install "*)
    echo "install $DEBIAN_FRONTEND ${*##*--no-install-recommends }" >>"$SCRATCH/log"
    case "$*" in *"$REFUSED"*) [ -n "$REFUSED" ] && exit 100 ;; esac
    for package in ${*##*--no-install-recommends }; do : >"$SCRATCH/installed/$package"; done ;;
esac
S
cat >bin/sudo <<'S'
#!/bin/sh
[ "$1" = -n ] || exit 1
[ "$SUDO_WORKS" = yes ] || exit 1
shift
echo sudo >>"$SCRATCH/log"
exec "$@"
S
chmod +x bin/*

# expect NAME STATUS LOG TEXT: runs install_packages on a machine set by the variables; LOG is what
# apt and sudo were told, in one line; each line of TEXT is said (| stands
# for the end of a line).
expect() {
  local name=$1 status=$2 log=$3 text=$4 said actual line
  rm -rf installed log
  mkdir installed
  touch log lists lists/a_Packages
  if [ "${OLD_LISTS:-}" = yes ]; then touch -d '3 days ago' lists; fi
  for line in ${INSTALLED:-}; do : >"installed/$line"; done
  said=$(
    export SCRATCH=$scratch FALSE_UID=${FALSE_UID:-0} SUDO_WORKS=${SUDO_WORKS:-no}
    export REFUSED=${REFUSED:-} REMOVED=${REMOVED:-} NOT_OFFERED=${NOT_OFFERED:-}
    export POWERCUT_APT_LISTS=$scratch/lists
    export TMPDIR=$scratch PATH=$scratch/bin:$PATH root=$scratch/root
    unset POWERCUT_NO_INSTALL
    bash -euo pipefail -c '. "$1/scripts/install.sh"; install_packages build run' \
      bash "$repository" 2>&1 </dev/null
  )
  actual=$?
  if [ "$actual" != "$status" ]; then
    printf '%s: status %s, not %s\n%s\n' "$name" "$actual" "$status" "$said"
    wrong=1
  fi
  if [ "$(tr '\n' ',' <log)" != "$log" ]; then
    printf '%s: apt was told: %s\n     expected: %s\n' "$name" "$(tr '\n' ',' <log)" "$log"
    wrong=1
  fi
  if [ -z "$text" ] && [ -n "$said" ]; then
    printf '%s: not silent: %s\n' "$name" "$said"
    wrong=1
  fi
  [ -n "$text" ] || return 0
  while IFS= read -r line; do
    line=${line//|/$'\n'}
    if [[ $said$'\n' == *"$line"* ]]; then continue; fi
    printf '%s: did not say: %s\n%s\n' "$name" "$line" "$said"
    wrong=1
  done <<<"$text"
}

all="install noninteractive compiler machine extra,"
line="apt-get update && apt-get install -y --no-install-recommends"
INSTALLED="compiler machine extra" expect "all there" 0 "" ""
expect "root" 0 "$all" "missing packages: compiler machine extra
(with what they need: 3 packages): download 19.0 MB, disk 40.6 MB"
REMOVED=other expect "a package gives way" 0 "$all" "this replaces: other|"
OLD_LISTS=yes expect "old indices" 0 "update,$all" "apt-get update"
FALSE_UID=7 SUDO_WORKS=yes expect "sudo" 0 "sudo,sudo,$all" "download 19.0 MB"
FALSE_UID=7 expect "no root" 3 "" "$line compiler machine extra|"
FALSE_UID=7 INSTALLED=compiler expect "no root, only wanted ones" 0 "" \
  "missing packages: machine extra|
$line machine extra|
going on without them"
NOT_OFFERED=extra expect "one is not offered" 0 "install noninteractive compiler machine," \
  "could not install: extra"
NOT_OFFERED=extra INSTALLED="compiler machine" expect "that one only" 0 "" \
  "could not install: extra"
REFUSED=machine expect "a wanted one fails" 0 \
  "${all}update,${all}install noninteractive compiler," "could not install: machine extra"
REFUSED=compiler expect "a required one fails" 3 \
  "${all}update,${all}install noninteractive compiler,update,install noninteractive compiler," \
  "$line compiler|"
exit "$wrong"
