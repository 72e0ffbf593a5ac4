#!/bin/sh
# As the official image: options and files that aren't programs are for node; all else is run.
case $1 in
  -*) set -- node "$@" ;;
  *) which "$1" >/dev/null || set -- node "$@" ;;
esac
exec "$@"
