# Makes the proxy serve the configuration in $incoming, or leaves it as it was and says why.
# Runs in a container of the proxy's own image, with its processes and its network: process 1 is the proxy's.
set -eu

incoming=/incoming
folder=/etc/proxy
certificate=/certificate
status=http://127.0.0.1:8081
# The proxy's own memory: both have one user.
refused=/proc/1/root/tmp/refused.log
ending=/proc/1/root/tmp/ending

revision=$(cat "$incoming/revision")
previous=$(readlink "$folder/current" || true)

serves() {
  [ "$(wget -q -O - "$status/revision" 2>/dev/null)" = "$revision" ]
}

# What nginx said since, about a configuration that it can't take up while it runs: a check by itself doesn't tell.
refusal() {
  tail -c "+$((heard + 1))" "$refused" 2>/dev/null
}

# Asked once more it may be a worker that is about to end who answers.
served=no
settled() {
  if serves; then served=yes; fi
  [ "$served" = yes ] || [ -n "$(refusal)" ]
}

within() { # SECONDS COMMAND: tries it ten times a second
  tries=$(($1 * 10))
  while [ "$tries" -gt 0 ]; do
    if "$2"; then return 0; fi
    tries=$((tries - 1))
    sleep 0.1
  done
  return 1
}

ready() {
  wget -q -O /dev/null "$status/ready" 2>/dev/null
}

point_at() { # a rename, so that there is a configuration at every moment
  ln -s "$1" "$folder/next"
  mv -T "$folder/next" "$folder/current"
}

roll_back() {
  if [ "$previous" = "$revision" ]; then return; fi
  if [ -n "$previous" ]; then
    point_at "$previous"
    kill -HUP 1
  else
    rm "$folder/current"
  fi
  rm -rf "${folder:?}/$revision"
}

# Until an authority has issued a certificate, the one that is served says so.
if [ -e "$incoming/placeholder.crt" ] && [ ! -e "$certificate/current" ]; then
  rm -rf "$certificate/placeholder"
  mkdir -m 700 "$certificate/placeholder"
  for file in crt key; do cp "$incoming/placeholder.$file" "$certificate/placeholder/tls.$file"; done
  chmod -R go= "$certificate/placeholder"
  ln -s placeholder "$certificate/current"
fi

# What a run that was cut short left behind.
rm -rf "$folder/next" "$folder/new"

if [ "$previous" != "$revision" ]; then
  cp -R "$incoming" "$folder/new"
  chmod -R go= "$folder/new"
  nginx -t -q -c "$folder/new/nginx.conf" || {
    echo "nginx refuses it; what was served before goes on being served"
    exit 1
  }
  rm -rf "${folder:?}/$revision"
  mv "$folder/new" "$folder/$revision"
  point_at "$revision"
fi

# Workers that end close a connection behind its answer, without having said so: the next request on it may get lost.
# For a second before that they say it.
if [ -n "$previous" ]; then
  trap 'rm -f "$ending"' EXIT
  : >"$ending"
  sleep 1
fi
heard=$(wc -c 2>/dev/null <"$refused" || echo 0)
# A proxy that is just starting takes the configuration by itself.
kill -HUP 1

within 30 settled || true
if [ "$served" = no ]; then
  why=$(refusal || true)
  roll_back
  echo "${why:-nothing happened within 30 seconds}"
  echo "the proxy did not take it up; what was served before goes on being served"
  exit 1
fi
if ! within 30 ready; then
  echo "the proxy serves it, but can't reach the registry"
  exit 1
fi

# A connection that was idle at the reload may bring one more request to a worker of the one before, within
# keepalive_min_timeout: who was removed is to be out when this ends.
if [ -n "$previous" ] && [ "$previous" != "$revision" ]; then sleep 3; fi

# Workers that end their transfers still look passwords up in the one before.
for old in "$folder"/*; do
  case $old in
    "$folder/current" | "$folder/$revision" | "$folder/$previous") ;;
    *) rm -rf "$old" ;;
  esac
done
