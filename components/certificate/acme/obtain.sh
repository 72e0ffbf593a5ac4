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
    if [ -e "$SETTINGS/hmac" ]; then
      LEGO_EAB_HMAC=$(cat "$SETTINGS/hmac")
      export LEGO_EAB_HMAC
    fi
    # A run that was stopped leaves its files there.
    rm -rf /challenges/.well-known status
    { if timeout 600 /lego "$@" 2>&1; then echo 0 >status; fi; } | tee printed
    reply "$(cat status 2>/dev/null || echo 1)"
  fi
  sleep 1
done
