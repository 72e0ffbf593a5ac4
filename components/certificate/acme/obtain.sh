# shellcheck shell=sh
# Runs lego, in its own container, each time the certifier asks for it: the words of its command line stand in a file, a
# line each. What lego prints goes to the log and to the certifier.
set -u
umask 077
trap 'exit 0' TERM
cd /acme || exit 1

while :; do
  touch /tmp/alive
  if [ -e request ]; then
    set --
    while IFS= read -r word; do set -- "$@" "$word"; done <request
    if [ -e "$SETTINGS/hmac" ]; then
      LEGO_EAB_HMAC=$(cat "$SETTINGS/hmac")
      export LEGO_EAB_HMAC
    fi
    # A run that was stopped leaves its answer there.
    rm -rf /challenges/.well-known
    { timeout 600 /lego "$@" 2>&1 || echo "$?" >code; } | tee printed
    # First the answer: a request without one is carried out again.
    { cat code 2>/dev/null || echo 0; } >answer.new
    rm -f code
    mv answer.new answer
    rm -f request
  fi
  sleep 1
done
