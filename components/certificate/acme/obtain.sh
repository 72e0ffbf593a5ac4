# shellcheck shell=sh
# Runs lego, in its own container, each time the certifier asks for it: the words of its command line stand in a file, a
# line each. What lego prints goes to the log and to the certifier.
set -u
umask 077
trap 'exit 0' TERM
cd /acme || exit 1

# A request that was taken is there until there is an answer.
reply() { # STATUS
  echo "$1" >answer.new
  mv answer.new answer
  rm -f taken
}

# The secrets that lego takes from its environment stand in files: the container's own environment can be inspected.
with_variables() ( # COMMAND
  for file in "$SETTINGS"/variables/*; do
    [ -e "$file" ] || continue
    export "${file##*/}=$(cat "$file")"
  done
  exec "$@"
)

# Again at once might be once too often for the authority.
if [ -e taken ]; then
  echo "the try was cut short" >printed
  reply 1
fi

while :; do
  touch /tmp/alive
  if [ -e request ]; then
    mv request taken
    set --
    while IFS= read -r word; do set -- "$@" "$word"; done <taken
    # A run that was stopped leaves its files there.
    rm -rf /challenges/.well-known status
    { if with_variables timeout 600 /lego "$@" 2>&1; then echo 0 >status; fi; } | tee printed
    reply "$(cat status 2>/dev/null || echo 1)"
  fi
  sleep 1
done
