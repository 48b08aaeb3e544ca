# Builds one preset of CMakePresets.json, once at a time in this tree.  To be sourced; `root` is the
# repository's folder.

# Sets builder to the words that make a command run as the person who called sudo, if the tree is
# theirs: what is built must not belong to root.
find_builder() {
  builder=()
  if [ "$(id -u)" != 0 ] || [ "${SUDO_USER:-root}" = root ]; then return 0; fi
  if [ "$(stat -c %U "$root")" = "$SUDO_USER" ]; then
    builder=(runuser -u "$SUDO_USER" -- env "HOME=$(getent passwd "$SUDO_USER" | cut -d: -f6)")
  fi
}

jobs_count() { nproc 2>/dev/null || echo 2; }

# configure PRESET [OPTION...]
configure() {
  (cd "$root" && "${builder[@]}" cmake --preset "$@")
}

# The same, unless it was done since the presets last changed (ninja sees all other changes).
configure_once() {
  if [ "$root/build/$1/build.ninja" -nt "$root/CMakePresets.json" ]; then return 0; fi
  configure "$@"
}

# build PRESET [TARGET...]: goes on after an error, so that one run shows all of them.
build() {
  local preset=$1
  shift
  (cd "$root" && "${builder[@]}" cmake --build "build/$preset" -j "$(jobs_count)" \
    ${1:+--target "$@"} -- -k 0)
}

# The lines of a build's output that tell what went wrong: without the progress lines of ninja.
build_errors() {
  grep -vE '^\[[0-9]+/[0-9]+\]|^-- ' "$1" | head -n "${2:-60}"
}
