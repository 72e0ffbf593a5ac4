import assert from "node:assert/strict";

import { nextAfter, parseSchedule } from "../../../components/care/keeper/schedule.ts";

describe("the schedule of a job", () => {
  const worlds: readonly (readonly [schedule: string, after: string, next: string])[] = [
    ["03:30", "2026-11-29T03:29:59Z", "2026-11-29T03:30:00Z"],
    ["03:30", "2026-11-29T03:30:00Z", "2026-11-30T03:30:00Z"],
    ["00:00", "2026-12-31T00:00:01Z", "2027-01-01T00:00:00Z"],
    // A Sunday.
    ["Sun 03:30", "2026-11-29T03:30:00Z", "2026-12-06T03:30:00Z"],
    ["Sun 03:30", "2026-11-28T23:00:00Z", "2026-11-29T03:30:00Z"],
    ["Wed 23:59", "2026-11-29T00:00:00Z", "2026-12-02T23:59:00Z"],
  ];
  for (const [schedule, after, next] of worlds)
    it(`${schedule} comes after ${after} at ${next}`, () => {
      const parsed = parseSchedule(schedule);
      assert.ok(parsed);
      assert.equal(nextAfter(parsed, new Date(after)).toISOString(), next.replace("Z", ".000Z"));
    });

  for (const text of ["", "3:30", "24:00", "03:60", "sun 03:30", "Sun", "Sun  03:30", "03:30 Sun", "0 3 * * *"])
    it(`is not ${JSON.stringify(text)}`, () => {
      assert.equal(parseSchedule(text), undefined);
    });
});
