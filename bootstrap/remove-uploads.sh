#!/bin/sh
# Runs in a registry's container, with the ids of the uploads that the registry failed at: frees the disk of uploads that
# nobody will end. Those are the ones that failed, as on a full disk, and the ones that nothing was written to for an hour.
# The registry itself waits a week from an upload's start, so that a slow one is never cut.
set -eu
failed=" $* "
cd /data/docker/registry/v2/repositories 2>/dev/null || exit 0

# A run that was cut short has left `discarded` behind.
is_given_up() {
  case $failed in *" ${1##*/} "*) return 0 ;; esac
  [ -e "$1/discarded" ] || [ -z "$(find "$1" -mmin -60)" ]
}

# Renamed first, as one that went on would pass for sound (its checksum goes by what was written) and hold zeros. Then
# emptied by its path, as the registry may hold it open. Neither takes any space, of which there may be none.
discard() {
  [ ! -e "$1/data" ] || mv "$1/data" "$1/discarded"
  [ ! -e "$1/discarded" ] || : >"$1/discarded"
  rm -rf "$1"
}

find . \( -name _layers -o -name _manifests \) -prune -o -path '*/_uploads/*' -prune -type d -print |
  while read -r upload; do
    is_given_up "$upload" || continue
    echo "▸ Removing an upload to $(expr "$upload" : '\./\(.*\)/_uploads/') that failed or was given up: $(du -sh "$upload" | cut -f 1)" >&2
    discard "$upload"
  done
