# What the buildpacks share: output in the shape of a push, config vars, and a cache that is whole or not there.
# Source it: . "$(dirname "$0")/../../lib/common.sh"

set -euo pipefail

step() { printf -- '-----> %s\n' "$*"; }
detail() { printf '       %s\n' "$*"; }
# Indents the output of a program.
indent() { sed -u 's/^/       /'; }

# fail MESSAGE [NEXT STEP]: ends the build.
fail() {
  printf ' !     %s\n' "$1"
  if [ $# -gt 1 ]; then printf ' !     next: %s\n' "$2"; fi
  exit 1
}

# export_config ENV_DIR: config vars become environment variables, except those that would change how the build's own
# tools are found or linked.
export_config() {
  local file name
  [ -d "$1" ] || return 0
  for file in "$1"/*; do
    [ -f "$file" ] || continue
    name=$(basename "$file")
    case "$name" in
      PATH | HOME | LANG | TMPDIR | BASH_ENV | ENV | IFS | CPATH | CPPATH | LIBRARY_PATH | LD_* | PYTHONHOME | PYTHONPATH | GIT_DIR | STACK)
        continue ;;
    esac
    # The x keeps newlines at the end, which $(…) would cut.
    value=$(cat "$file"; printf x)
    export "$name=${value%x}"
  done
  unset value
}

# Where the machine's certificates are, for tools that bring their own list otherwise.
export_certificates() {
  local bundle=/etc/ssl/certs/ca-certificates.crt
  [ -r "$bundle" ] || return 0
  export SSL_CERT_FILE=$bundle PIP_CERT=$bundle REQUESTS_CA_BUNDLE=$bundle CURL_CA_BUNDLE=$bundle
  export NODE_EXTRA_CA_CERTS=$bundle npm_config_cafile=$bundle
}

# hash_of FILE…: one hash over names and contents, and over what stands on standard input.
hash_of() {
  {
    cat
    for file in "$@"; do
      printf '\n== %s\n' "$file"
      cat -- "$file"
    done
  } | sha256sum | cut -c 1-32
}

# restore KIND HASH DESTINATION: copies what an earlier build stored under this hash; fails when there is nothing.
# A store is one directory that appears by rename, so it is whole or not there.
restore() {
  local from="$cache/$1/$2"
  [ -d "$from" ] || return 1
  mkdir -p "$(dirname "$3")"
  cp -a -- "$from" "$3"
}

# store KIND HASH SOURCE: keeps a copy for the next build, and nothing else of this kind.
store() {
  local directory="$cache/$1"
  mkdir -p "$directory"
  rm -rf -- "$directory/.new"
  cp -a -- "$3" "$directory/.new"
  find "$directory" -mindepth 1 -maxdepth 1 ! -name .new -exec rm -rf -- {} +
  mv -- "$directory/.new" "$directory/$2"
}

# profile NAME: standard input becomes a script that every process of the app sources at its start.
profile() {
  mkdir -p "$build/.profile.d"
  cat > "$build/.profile.d/$1"
}
