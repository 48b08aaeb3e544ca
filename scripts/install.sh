# Finds which Debian packages are missing, says what and how much, and installs them.  To be
# sourced; `root` is the repository's folder.
#
#   install_packages "build test" "run"    lists that are required, lists that are wanted
#
# With everything there it is silent and starts no apt.  A required list that cannot be had ends the
# program with status 3, after the exact line to type; of a wanted list, what cannot be had is named
# and left out.  POWERCUT_NO_INSTALL=1 skips it all.

PATH=$PATH:/usr/sbin:/sbin
export PATH

say() { printf 'powercut: %s\n' "$*" >&2; }

# The packages of the lists named, one a line.
packages_of() {
  local list
  for list in $1; do
    sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$root/scripts/packages/$list.txt"
  done
}

is_debian_like() {
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null
}

# Of the packages on standard input, those that are not installed.
missing_of() {
  local package
  while read -r package; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
      printf '%s\n' "$package"
  done
}

# Sets as_root to the words that make a command run as root; fails if there are none.
find_root() {
  as_root=()
  if [ "$(id -u)" = 0 ]; then return 0; fi
  command -v sudo >/dev/null || return 1
  if sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
  elif [ -t 0 ] && [ -t 2 ]; then
    say "sudo may ask for your password"
    as_root=(sudo)
  else
    return 1
  fi
}

# Package indices are old when there are none, or when none was fetched within a day (versions that
# they name may be gone).  The files carry the server's times, so their folders' times tell.
indices_are_old() {
  local lists=${POWERCUT_APT_LISTS:-/var/lib/apt/lists}
  [ -z "$(find "$lists" -maxdepth 1 -name '*_Packages*' 2>/dev/null)" ] ||
    [ -z "$(find "$lists" -maxdepth 1 -type d -newermt '-1 day' 2>/dev/null)" ]
}

# apt that waits for its lock and asks nothing; output goes to the log.
apt_quietly() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
    apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" \
    >>"$install_log" 2>&1 </dev/null
}

# What apt would do for these packages, as text in a language that can be parsed; needs no root.
apt_plan() {
  # It answers its own question with no, and fails; the text is what counts.
  LC_ALL=C apt-get -o Debug::NoLocking=1 --assume-no --no-install-recommends install "$@" 2>&1 ||
    true
}

# Says what will be installed and how large it is, before anything is fetched.
announce() {
  local plan total removed
  plan=$(apt_plan "$@")
  say "missing packages: $*"
  total=$(sed -n 's/.* \([0-9]*\) newly installed.*/\1/p' <<<"$plan")
  say "installing them (with what they need: ${total:-?} packages)$(
    sed -n 's/^Need to get \([^/]*\)\(\/.*\)\{0,1\} of archives\.$/: download \1/p' <<<"$plan")$(
    sed -n 's/^After this operation, \(.*\) of additional disk space will be used\.$/, disk \1/p' \
      <<<"$plan")"
  removed=$(awk '/^[^ ]/ { on = 0 } on { print $0 } /will be REMOVED/ { on = 1 }' <<<"$plan" |
    xargs)
  if [ -n "$removed" ]; then say "this replaces: $removed"; fi
}

line_to_type() {
  say "as root, type:"
  printf '  apt-get update && apt-get install -y --no-install-recommends %s\n' "$*" >&2
}

# Of the packages on standard input, those that this machine's package sources offer.
offered_of() {
  local package policy
  while read -r package; do
    # Not a pipe: grep -q would end before apt-cache has written all, which counts as a failure.
    policy=$(LC_ALL=C apt-cache policy "${package:-none}" 2>/dev/null) || policy=""
    if grep -q '^  Candidate: [^(]' <<<"$policy"; then printf '%s\n' "$package"; fi
  done
}

# Installs the packages named; once more with fresh indices if that fails.
apt_install() {
  apt_quietly install --no-install-recommends "$@" && return 0
  apt_quietly update && apt_quietly install --no-install-recommends "$@"
}

# Without apt: the tools must be there already.
check_tools() {
  local tool lacking=""
  for tool in g++ cmake ninja; do command -v "$tool" >/dev/null || lacking="$lacking $tool"; done
  if [ -n "$lacking" ]; then
    say "this is not Debian or Ubuntu, and these tools are missing:$lacking"
    say "docs/building.md names the packages for other distributions"
    exit 3
  fi
}

install_packages() {
  local required wanted left
  if [ -n "${POWERCUT_NO_INSTALL:-}" ]; then return 0; fi
  if ! is_debian_like; then check_tools; return 0; fi
  mapfile -t required < <(packages_of "$1" | missing_of)
  mapfile -t wanted < <(packages_of "${2:-}" | missing_of)
  if [ "${#required[@]}" = 0 ] && [ "${#wanted[@]}" = 0 ]; then return 0; fi

  if ! find_root; then
    set -- "${required[@]}" "${wanted[@]}"
    say "missing packages: $*"
    line_to_type "$@"
    if [ "${#required[@]}" != 0 ]; then exit 3; fi
    say "going on without them: what needs them will say so"
    return 0
  fi
  install_log=$(mktemp "${TMPDIR:-/tmp}/powercut-install.XXXXXX")
  if indices_are_old; then
    say "fetching the list of packages (apt-get update)"
    apt_quietly update || say "apt-get update failed; going on with what is known"
  fi
  mapfile -t wanted < <(printf '%s\n' "${wanted[@]}" | offered_of)
  if [ $((${#required[@]} + ${#wanted[@]})) != 0 ]; then
    announce "${required[@]}" "${wanted[@]}"
    if ! apt_install "${required[@]}" "${wanted[@]}" && [ "${#required[@]}" != 0 ]; then
      apt_install "${required[@]}" || true
    fi
  fi

  left=$(packages_of "$1" | missing_of | xargs)
  if [ -n "$left" ]; then
    tail -n 20 "$install_log" >&2
    say "could not install: $left (whole log: $install_log)"
    line_to_type "$left"
    exit 3
  fi
  left=$(packages_of "${2:-}" | missing_of | xargs)
  if [ -n "$left" ]; then
    say "could not install: $left (log: $install_log); what needs them will say so"
  else
    rm -f "$install_log"
  fi
}
