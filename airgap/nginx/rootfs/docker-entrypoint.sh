#!/bin/sh
# The official image prepares things here; nothing is needed.
exec "$@"
