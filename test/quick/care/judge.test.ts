import assert from "node:assert/strict";

import {
  type BlobFacts,
  type Fate,
  fateOfBlob,
  fateOfLink,
  type LinkFacts,
} from "../../../components/care/keeper/judge.ts";
import { shortGrace } from "../../../components/care/keeper/times.ts";

/** The grace begins at 100. */
const young = 100;

describe("what becomes of a blob", () => {
  const unneeded: BlobFacts = { isNamed: false, written: 10, linked: undefined, condemned: undefined, isFree: true };
  const worlds: Record<string, readonly [Partial<BlobFacts>, Fate]> = {
    "is nothing if a manifest names it": [{ isNamed: true }, "keep"],
    "is nothing if a manifest names it, however old its links are": [{ isNamed: true, linked: 1 }, "keep"],
    "is nothing while it may be part of a push": [{ written: 100 }, "keep"],
    "is nothing while a link to it may be part of a push": [{ linked: 100 }, "keep"],
    "is a sentence if no manifest names it": [{}, "condemn"],
    "is a sentence if only an old link leads to it": [{ linked: 99, isFree: false }, "condemn"],
    "is a grace after the sentence": [{ condemned: 100 }, "wait"],
    "is that it goes, a grace later": [{ condemned: 99 }, "sweep"],
    "is no end while a link to it is not due": [{ condemned: 1, isFree: false }, "wait"],
    "is mercy if a manifest names it": [{ condemned: 99, isNamed: true }, "spare"],
    "is mercy if it was pushed again": [{ condemned: 99, written: 100 }, "spare"],
    "is mercy if it was linked again": [{ condemned: 99, linked: 100 }, "spare"],
    "is mercy if the clock was ahead when it was linked": [{ condemned: 99, linked: 1e9 }, "spare"],
  };
  for (const [what, [facts, fate]] of Object.entries(worlds)) {
    it(what, () => assert.equal(fateOfBlob({ ...unneeded, ...facts }, young), fate));
  }
});

describe("what becomes of a link", () => {
  const unneeded: LinkFacts = { isNamed: false, changed: 10, isCondemned: false };
  const worlds: Record<string, readonly [Partial<LinkFacts>, Fate]> = {
    "is nothing if a manifest of its repository names its blob": [{ isNamed: true }, "keep"],
    "is nothing while it may be part of a push": [{ changed: 100 }, "keep"],
    "is a sentence if it is old": [{}, "condemn"],
    "is a grace after the sentence": [{ isCondemned: true, changed: 100 }, "wait"],
    "is that it goes, a grace later": [{ isCondemned: true, changed: 99 }, "sweep"],
    "is mercy if a manifest names its blob": [{ isCondemned: true, isNamed: true }, "spare"],
  };
  for (const [what, [facts, fate]] of Object.entries(worlds)) {
    it(what, () => assert.equal(fateOfLink({ ...unneeded, ...facts }, young), fate));
  }
});

it("the grace of a collection that somebody waits for is longer than the longest upload under way", () => {
  assert.deepEqual([0, 100, 450, 451, 3600].map(shortGrace), [900, 900, 900, 902, 7200]);
});
