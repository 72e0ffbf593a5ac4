import assert from "node:assert/strict";

import fc from "fast-check";

import {
  defaultLimits,
  type Disk,
  type Level,
  levelOf,
  type Limits,
  pauseAt,
  uploadsToStop,
} from "../../../components/care/keeper/levels.ts";

const gibibyte = 2 ** 30;

/** A disk of 100 GiB, or of so many. */
function disk(free: number, all = 100): Disk {
  return { bytes: { all: all * gibibyte, free: free * gibibyte }, files: { all: 0, free: 0 } };
}

describe("the level of a disk", () => {
  /** What is free in GiB of how many, or the files that are used up in percent; the level so far, and what it becomes. */
  const worlds: readonly [what: string, disk: Disk, before: Level, level: Level][] = [
    ["much is free", disk(60), "ok", "ok"],
    ["just not the warning", disk(20.1), "ok", "ok"],
    ["the warning", disk(20), "ok", "warning"],
    ["a little more room after the warning", disk(21), "warning", "warning"],
    ["room after the warning", disk(22.1), "warning", "ok"],
    ["just not the stop", disk(10.1), "warning", "warning"],
    ["the stop", disk(10), "warning", "stop"],
    ["the stop at once", disk(10), "ok", "stop"],
    ["a little more room after the stop", disk(11.9), "stop", "stop"],
    ["room after the stop", disk(12.1), "stop", "warning"],
    ["a little more room than the warning after the stop", disk(21), "stop", "warning"],
    ["much room after the stop", disk(50), "stop", "ok"],
    ["just not the last", disk(1), "stop", "stop"],
    ["the last", disk(0.99), "stop", "last"],
    ["the last at once", disk(0.5), "ok", "last"],
    ["nothing is free", disk(0), "last", "last"],
    ["a little more room after the last", disk(1.2), "last", "last"],
    ["room after the last", disk(1.25), "last", "stop"],
    ["more room after the last, but not enough for new pushes", disk(11), "last", "stop"],
    ["much room after the last", disk(50), "last", "ok"],
    ["a small disk that never has the last level free", disk(0.5, 0.9), "ok", "ok"],
    ["a small disk at the stop", disk(0.09, 0.9), "ok", "stop"],
    ["a small disk at half of the stop", disk(0.044, 0.9), "stop", "last"],
    ["a small disk after the last", disk(0.057, 0.9), "last", "stop"],
    ["no more files than the stop", { ...disk(60), files: { all: 1000, free: 100 } }, "ok", "stop"],
    ["few files left", { ...disk(60), files: { all: 1000, free: 200 } }, "ok", "warning"],
    ["a disk that says nothing about itself", disk(0, 0), "ok", "ok"],
  ];
  for (const [what, now, before, level] of worlds) {
    it(`is ${level} after ${before}: ${what}`, () => assert.equal(levelOf(now, defaultLimits, before), level));
  }

  /** What the level is in turn at two disks, in the end. */
  function levelsAt(one: Disk, other: Disk, limits: Limits, before: Level): Level[] {
    const turns = [one, other, one, other, one, other];
    return turns.reduce<Level[]>((so, now) => [...so, levelOf(now, limits, so.at(-1) ?? before)], []).slice(2);
  }

  it("doesn't flap, whatever the limits, while the room changes by less than 2 % of the disk", () => {
    const percent = fc.integer({ min: 1, max: 99 });
    const anyLevel = fc.constantFrom<Level>("ok", "warning", "stop", "last");
    const change = fc.double({ min: -1.9, max: 1.9, noNaN: true });
    fc.assert(
      fc.property(percent, change, percent, percent, anyLevel, (free, more, one, other, before) => {
        const limits = { warning: Math.min(one, other), stop: Math.max(one, other), last: 0 };
        assert.equal(new Set(levelsAt(disk(free), disk(Math.max(0, free + more)), limits, before)).size, 1);
      }),
    );
  });

  it("doesn't flap at the last level while the room changes by less than a quarter", () => {
    const anyFree = fc.double({ min: 0.1, max: 3, noNaN: true });
    fc.assert(
      fc.property(anyFree, fc.double({ min: 1, max: 1.24, noNaN: true }), (free, factor) => {
        assert.equal(new Set(levelsAt(disk(free), disk(free * factor), defaultLimits, "stop")).size, 1);
      }),
    );
  });
});

describe("the uploads to stop", () => {
  const uploads = [3, 0, 7, 1, 5].map((bytes) => ({ bytes: bytes * gibibyte }));
  const chosen = (free: number) =>
    uploadsToStop(disk(free), defaultLimits, uploads).map(({ bytes }) => bytes / gibibyte);

  it("are the largest, and no more than it takes", () => {
    assert.deepEqual(chosen(1.25), []);
    assert.deepEqual(chosen(0.5), [7]);
    assert.deepEqual(chosen(-6), [7, 5]);
    assert.deepEqual(chosen(-13), [7, 5, 3]);
  });

  it("are all that take room if all of it isn't enough", () => assert.deepEqual(chosen(-50), [7, 5, 3, 1]));

  it("are never more than needed, and never a small one where a larger one goes on", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 30 })), fc.integer({ min: -50, max: 10 }), (sizes, free) => {
        const all = sizes.map((size) => ({ bytes: size * gibibyte }));
        const stopped = uploadsToStop(disk(free), defaultLimits, all);
        const others = all.filter((upload) => !stopped.includes(upload));
        const least = Math.min(...stopped.map(({ bytes }) => bytes));
        for (const { bytes } of others) assert.ok(bytes <= least);
        const sum = stopped.reduce((bytes, upload) => bytes + upload.bytes, 0) / gibibyte;
        if (stopped.length > 0) assert.ok(free + sum - least / gibibyte < 1.25);
        if (others.some(({ bytes }) => bytes > 0)) assert.ok(free + sum >= 1.25);
      }),
    );
  });
});

describe("the pause between two looks at a disk", () => {
  it("is short where the disk can be full soon", () => {
    assert.deepEqual(
      [100, 4, 1, 0.1, 0].map((free) => pauseAt(disk(free))),
      [1000, 1000, 256, 25.6, 20],
    );
  });
});
