# shellcheck shell=bash
# What the scripts here and in bootstrap/ have in common; sourced by them. bash 3.2, as on macOS, is enough.

airgap=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { printf '▸ %s\n' "$*" >&2; }

fail() {
  printf '✗ %s\n' "$*" >&2
  exit 1
}

# How long one official download may take.
# shellcheck disable=SC2034 # used by the scripts that source this one
download_seconds=${DOWNLOAD_SECONDS:-300}

# within SECONDS COMMAND…: ends the command, and all that it started, when its time is up (status 124).
within() {
  node -e '
    const [seconds, command, ...args] = process.argv.slice(1);
    const child = require("node:child_process").spawn(command, args, { stdio: "inherit", detached: true });
    const stop = () => { try { process.kill(-child.pid, "SIGKILL"); } catch { /* it has ended already */ } };
    child.on("error", () => process.exit(127)).on("exit", (status) => process.exit(status ?? 1));
    const caller = process.ppid;
    const end = (status) => { stop(); process.exit(status); };
    setTimeout(end, seconds * 1000, 124);
    setInterval(() => process.ppid === caller || end(1), 1000); // the caller was killed
    // The caller is to see a death by this signal, or it would go on after a Ctrl-C.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
      process.once(signal, () => { child.removeAllListeners(); stop(); process.kill(process.pid, signal); });
  ' "$@"
}

# required FOLDER MODULE: the version of a Go module in the go.mod of a folder here.
required() { awk -v module="$2" '$1 == module { print $2 }' "$airgap/$1/go.mod"; }

# go_build FOLDER PACKAGE OUTPUT [LDFLAG…]
go_build() {
  local folder=$1 package=$2 output=$3
  shift 3
  (cd "$airgap/$folder" &&
    CGO_ENABLED=0 GOFLAGS=-mod=readonly GOWORK=off \
      go build -trimpath -buildvcs=false -ldflags "-s -w $*" -o "$output" "$package")
}
