import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Display } from "../../../cli/display.ts";
import { type EngineEvent, Progress } from "../../../cli/progress.ts";

/** An event as `pulumi up --json` printed it, without unused parts; `after` is the time, in milliseconds. */
type Recorded = EngineEvent & { readonly after: number };

function recorded(name: string): string {
  return readFileSync(join(import.meta.dirname, "events", `${name}.jsonl`), "utf8");
}

function eventsOf(name: string): Recorded[] {
  return recorded(name)
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Recorded);
}

function drawn(name: string): string[] {
  const progress = new Progress(0);
  return eventsOf(name).flatMap((event) => progress.take(event, event.after));
}

/** What a display writes for events that come in pieces, as through a pipe. */
function written(text: string, isTTY: boolean, size = 100): string {
  let all = "";
  const write = (piece: Uint8Array | string) => ((all += piece.toString()), true);
  const display = new Display({ isTTY, columns: 80, write });
  try {
    for (let i = 0; i < text.length; i += size) display.take(text.slice(i, i + size));
  } finally {
    display.end();
  }
  return all;
}

const container = "docker:index:Container private-registry-dev1";

describe("the progress of an update", () => {
  it("has a line for each step that begins and one for each that is done, then a summary; none for what stays", () => {
    assert.deepEqual(drawn("change"), [
      `  - ${container}-proxy-loader-run deleting the original`,
      `  - ${container}-proxy-loader-run original deleted (0 s)`,
      `  - ${container}-proxy-container deleting the original`,
      `  - ${container}-proxy-container original deleted (1 s)`,
      `  + ${container}-proxy-container creating the replacement`,
      `  + ${container}-proxy-container replaced [diff: ports] (2 s)`,
      `  + ${container}-proxy-loader-run creating the replacement`,
      `  + ${container}-proxy-loader-run replaced (1 s)`,
      "2 replaced, 29 unchanged in 15 s; policies: private-registry 0.1.0",
    ]);
  });

  it("names what is under way, and for how long", () => {
    const progress = new Progress(0);
    assert.equal(progress.status(2400), "  … 2 s, 0 done");
    const events = eventsOf("failed");
    const begun = events.map(({ resourcePreEvent }) => resourcePreEvent !== undefined).lastIndexOf(true);
    for (const event of events.slice(0, begun + 1)) progress.take(event, event.after);
    const now = (events[begun]?.after ?? 0) + 7000;
    const under = "creating private-registry-dev1-registry-container 7 s";
    assert.equal(progress.status(now), `  … ${String(Math.round(now / 1000))} s, 2 done; ${under}`);
    for (const event of events.slice(begun + 1)) progress.take(event, event.after);
    assert.doesNotMatch(progress.status(now), /creating/);
  });

  it("has nothing under way when a refresh has ended, which Pulumi calls by what it found", () => {
    for (const op of ["refresh", "same", "update", "delete"]) {
      const progress = new Progress(0);
      const step = { urn: "urn:pulumi:dev1::p::t::a", type: "t", old: { custom: true } };
      progress.take({ resourcePreEvent: { metadata: { ...step, op: "refresh" } } }, 0);
      progress.take({ resOutputsEvent: { metadata: { ...step, op } } }, 1000);
      assert.doesNotMatch(progress.status(2000), /checking/, op);
    }
  });

  it("names three of many steps that are under way, the longest first", () => {
    const progress = new Progress(0);
    for (const [i, name] of ["a", "b", "c", "d", "e"].entries()) {
      const metadata = { op: "refresh", urn: `urn:pulumi:dev1::p::t::${name}`, type: "t", old: { custom: true } };
      progress.take({ resourcePreEvent: { metadata } }, i * 1000);
    }
    const three = "checking a 9 s, checking b 8 s, checking c 7 s";
    assert.equal(progress.status(9000), `  … 9 s, 0 done; ${three}, 2 more`);
  });

  it("shows an error whole, with its resource, and nothing for debugging Pulumi", () => {
    const lines = drawn("failed");
    const conflict = lines.findIndex((line) => line === `${container}-registry-container: error: 1 error occurred:`);
    assert.match(lines[conflict + 1] ?? "", /Unable to create container: .* to be able to reuse that name\.$/);
    assert.match(lines[conflict + 2] ?? "", /^ {2}! .*-registry-container creating failed \(0 s\)$/);
    assert.equal(lines.at(-2), "error: update failed");
    assert.equal(lines.at(-1), "failed after 12 s; 29 created; policies: private-registry 0.1.0");
    assert.ok(eventsOf("failed").some(({ diagnosticEvent }) => diagnosticEvent?.severity === "debug"));
    assert.doesNotMatch(lines.join("\n"), /debug|Registering/);
  });

  it("has no line for a component, which is done when its parts are", () => {
    assert.ok(eventsOf("failed").some(({ resOutputsEvent }) => resOutputsEvent?.metadata.urn.endsWith("-setup")));
    assert.doesNotMatch(drawn("failed").join("\n"), /privateregistry:/);
  });

  it("shows a policy's findings whole", () => {
    assert.deepEqual(drawn("policy").slice(0, 3), [
      `[mandatory]  capabilities  (${container}-proxy-container)`,
      "  No container has a capability, but for those that give a volume to its user, in one that isn't restarted.",
      "  private-registry-dev1-proxy keeps capabilities: it must drop ALL",
    ]);
  });

  it("shows Pulumi's answer to Ctrl-C", () => {
    assert.match(drawn("interrupted")[0] ?? "", /^\^C received; cancelling\./);
  });
});

describe("the display of an update", () => {
  it("writes the same lines however the events are cut, and unchanged what isn't an event", () => {
    // All of it comes at once.
    const lines = drawn("change").map((line) => line.replace(/\(\d s\)/, "(0 s)"));
    for (const size of [1, 1000, 1_000_000])
      assert.deepEqual(written(`a word\n${recorded("change")}no end`, false, size).split("\n"), [
        "a word",
        ...lines,
        "no end",
        "",
      ]);
  });

  it("shows no half of an event if Pulumi was killed", () => {
    const whole = recorded("change");
    const cut = whole.lastIndexOf("{") + 20;
    assert.doesNotMatch(written(whole.slice(0, cut), false), /sequence|[{}]/);
  });

  it("shows on a terminal's last line what begins, and ends with that line empty", () => {
    const text = written(recorded("change"), true);
    assert.match(text, /-proxy-container replaced \[diff: ports\]/);
    assert.doesNotMatch(text, /creating the replacement/);
    assert.ok(text.endsWith("\r\x1b[K"));
  });
});
