#!/bin/sh
# As the official image: a configuration file alone is served, a subcommand or flag is the registry's, all else is run.
case $1 in
  *.yml | *.yaml) set -- registry serve "$@" ;;
  serve | garbage-collect | help | -*) set -- registry "$@" ;;
esac
exec "$@"
