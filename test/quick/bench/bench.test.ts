import assert from "node:assert/strict";

import { format } from "prettier";

import { withoutAuthentication } from "../../../bench/configs.ts";
import { everydayReport } from "../../../bench/everydayReport.ts";
import { plot } from "../../../bench/plot.ts";
import { type Measured, ratios, report, spreadOf, targetTable, type Values } from "../../../bench/report.ts";
import { renderNginxConf } from "../../../components/proxy/nginx/nginxConf.ts";
import { plainConf } from "../../support/nginxConf.ts";

const round = (own: number): Values => ({
  requests: own,
  p99: 1000 / own,
  pull: own,
  pullCpu: 100 / own,
  push: own,
  pushCpu: 100 / own,
  written: 1,
  memory: 50,
});
const none = [round(1), round(1), round(1)];
const measured: Measured = {
  a: [round(300), round(100), round(200)],
  a0: [round(400), round(100), round(250)],
  b: none,
  c: none,
  d: none,
  e: none,
  f: [{ pull: 300 }, { pull: 100 }, { pull: 400 }],
};

describe("the benchmark's report", () => {
  it("takes medians, of an even number of rounds too", () => {
    assert.deepEqual(spreadOf([3, 1, 2]), { min: 1, median: 2, max: 3 });
    assert.deepEqual(spreadOf([4, 1, 2, 3]), { min: 1, median: 2.5, max: 4 });
    assert.equal(spreadOf([]), undefined);
  });

  it("divides round by round", () => {
    assert.deepEqual(ratios(measured, "requests", "a0"), { min: 0.75, median: 0.8, max: 1 });
    assert.equal(ratios(measured, "requests", "f"), undefined);
  });

  it("says which targets are met", () => {
    const lines = targetTable(measured).split("\n");
    const verdict = (what: string) => lines.find((line) => line.includes(what))?.includes("**missed**") === false;
    assert.ok(verdict("150 × the usual recipe"));
    assert.ok(verdict("0.8 × the same proxy"));
    assert.ok(verdict("each byte written once"));
    assert.ok(verdict("a static file"));
    const slow: Measured = { ...measured, a: [round(10)], f: [{ pull: 12 }] };
    assert.match(targetTable(slow), /150 × the usual recipe .*\*\*missed\*\*/);
    assert.match(targetTable(slow), /a static file .*\*\*missed\*\*/);
  });

  it("has a row for each command of every day, with its median and its spread, as prettier writes it", async () => {
    const costs = [3, 1, 2].map((seconds) => ({ seconds, cpuSeconds: 2 * seconds }));
    const text = everydayReport(
      { up: costs, preview: costs, plain: costs, status: costs, quickStatus: costs },
      { date: "2026-11-28", machine: ["2 cores"], rounds: 3 },
    );
    assert.match(text, /^\| `make up STACK=dev1` +\| 4\.00 \(2\.00–6\.00\) \| 2\.00 \(1\.00–3\.00\) \|$/m);
    assert.match(text, /^\| `pulumi preview -s dev1` +\| 4\.00 /m);
    assert.equal(await format(text, { parser: "markdown", printWidth: 120 }), text);
  });

  it("is Markdown as prettier writes it", async () => {
    const circumstances = {
      date: "2020-01-02",
      machine: ["2 cores"],
      rounds: 3,
      megabytes: 500,
      seconds: 10,
      pulls: 3,
    };
    const text = report(measured, circumstances);
    assert.equal(await format(text, { parser: "markdown", printWidth: 120 }), text);
  });

  it("is plotted without what wasn't measured", () => {
    const svg = plot(measured);
    assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
    assert.equal(svg.match(/class="own"/g)?.length, 8);
  });
});

describe("this stack's proxy without authentication", () => {
  it("asks nobody, treats everybody as signed in, and is otherwise unchanged", () => {
    const lines = (text: string) => text.split("\n").filter((line) => line.trim() !== "");
    const usual = lines(renderNginxConf(plainConf));
    const open = lines(renderNginxConf(plainConf, withoutAuthentication));
    assert.deepEqual(
      open.filter((line) => !usual.includes(line)),
      // For connections that go on, and for those that end with their answer.
      ["      set $signed_in yes;", "      set $signed_in yes;"],
    );
    assert.doesNotMatch(open.join("\n"), /auth_request \/_sign_in|location = \/_sign_in/);
  });
});
