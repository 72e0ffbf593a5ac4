import assert from "node:assert/strict";

import { certificateNames, challengeNames } from "../../../components/certificate/acme/challenge.ts";
import {
  fileNameOf,
  isBroken,
  isDue,
  isUrgent,
  legoWords,
  pauseAfter,
  problemWith,
  reasonIn,
  type RenewalSettings,
  triesLeft,
} from "../../../components/certificate/acme/renewal.ts";
import { issue } from "../../support/certificates.ts";

const settings: RenewalSettings = {
  names: ["registry.example.com"],
  server: "https://acme.example.com/directory",
  keyType: "ec256",
};

describe("the renewal of a certificate", () => {
  describe("takes what the authority gave", () => {
    const names = "DNS:registry.example.com,IP:203.0.113.7,DNS:*.example.org";
    const root = issue({ commonName: "Root" });
    const between = issue({ commonName: "Between", issuer: root });
    const leaf = issue({ commonName: "registry", names, issuer: between });
    const stranger = issue({ commonName: "Stranger" });
    const chain = leaf.certificate + between.certificate;

    const worlds: Record<string, readonly [chain: string, key: string, Partial<RenewalSettings>, RegExp | undefined]> =
      {
        "if it is for the name": [chain, leaf.key, {}, undefined],
        "if it is for all names": [
          chain,
          leaf.key,
          { names: ["registry.example.com", "203.0.113.7", "*.example.org"] },
          undefined,
        ],
        "if it leads to the authority of the settings": [
          chain,
          leaf.key,
          { authority: stranger.certificate + root.certificate },
          undefined,
        ],
        "but not one that has signed itself": [stranger.certificate, stranger.key, {}, /^has signed itself$/],
        "but not one that is empty": ["", leaf.key, {}, /^holds no readable certificate$/],
        "but not one that was cut short": [chain.slice(0, 300), leaf.key, {}, /^holds no readable certificate$/],
        "but not one with another key": [chain, between.key, {}, /^does not fit its key$/],
        "but not one whose key was cut short": [chain, leaf.key.slice(0, 100), {}, /^does not fit its key$/],
        "but not one for other names": [
          chain,
          leaf.key,
          { names: ["registry.example.com", "b.example.com"] },
          /^is for registry\.example\.com, 203\.0\.113\.7, \*\.example\.org, not for b\.example\.com$/,
        ],
        "but not one whose issuer is another one": [
          leaf.certificate + stranger.certificate,
          leaf.key,
          {},
          /^has issuers that don't belong together$/,
        ],
        "but not one of another authority than that of the settings": [
          chain,
          leaf.key,
          { authority: stranger.certificate },
          /^was not issued by the authority in certificate\.authority$/,
        ],
      };
    for (const [what, [text, key, more, wrong]] of Object.entries(worlds))
      it(what, () => {
        const problem = problemWith(text, key, { ...settings, ...more }, new Date());
        if (wrong === undefined) assert.equal(problem, undefined);
        else assert.match(problem ?? "", wrong);
      });

    it("and asks for another one only if it was cut short", () => {
      assert.deepEqual(
        [
          isBroken(chain, leaf.key),
          isBroken(chain.slice(0, 300), leaf.key),
          isBroken(chain, between.key),
          isBroken("", ""),
        ],
        [false, true, true, true],
      );
    });

    it("but not one that has run out", () => {
      const later = new Date(Date.now() + 61 * 86_400_000);
      assert.match(problemWith(chain, leaf.key, settings, later) ?? "", /^is out of date: registry expired on /);
    });
  });

  it("looks twice a day, or twelve times in a shorter life", () => {
    const hour = 3600;
    assert.equal(pauseAfter(0, undefined), 12 * hour);
    assert.equal(pauseAfter(0, 90 * 24 * hour), 12 * hour);
    assert.equal(pauseAfter(0, 160 * hour), 12 * hour);
    assert.equal(pauseAfter(0, 24 * hour), 2 * hour);
    assert.equal(pauseAfter(0, 120), 10);
  });

  it("tries again later each time, and at most five times in the first hour", () => {
    const pauses = [1, 2, 3, 4, 5, 6, 100].map((failures) => pauseAfter(failures, undefined) / 60);
    assert.deepEqual(pauses, [2, 4, 8, 16, 32, 60, 60]);
    const tries = pauses.map((_, i) => pauses.slice(0, i).reduce((sum, pause) => sum + pause, 0));
    assert.equal(tries.filter((at) => at < 60).length, 5);
    // Nobody would wait an hour for a certificate that lives for minutes.
    assert.equal(pauseAfter(5, 120), 10);
  });

  it("looks when it is due, and at once if the clock was wrong", () => {
    const now = new Date("2026-11-29T12:00:00Z");
    const due = (next: string) => isDue({ next }, now);
    assert.equal(due("2026-11-29T12:00:00Z"), true);
    assert.equal(due("2026-11-29T12:00:01Z"), false);
    assert.equal(due("2026-11-30T00:00:00Z"), false);
    assert.equal(due("2031-11-30T00:00:00Z"), true);
    assert.equal(due("not a time"), true);
  });

  it("may be asked for as long as fewer than five tries have failed within an hour", () => {
    const now = new Date("2026-11-29T12:00:00Z");
    const failed = [0, 10, 20, 30, 40].map((minute) => new Date(Date.UTC(2026, 10, 29, 11, minute, 1)).toISOString());
    assert.deepEqual([triesLeft([], now), triesLeft(failed.slice(1), now), triesLeft(failed, now)], [5, 1, 0]);
    assert.equal(triesLeft(failed, new Date("2026-11-29T12:00:02Z")), 1);
  });

  it("is urgent in the last quarter of a life", () => {
    assert.deepEqual(
      [26, 24].map((left) => isUrgent({ life: 100, left })),
      [false, true],
    );
  });

  it("asks lego for a certificate, then for its renewal with the same key", () => {
    const all = {
      ...settings,
      ...{ names: ["a.example.com", "203.0.113.7"], email: "ops@example.com", profile: "shortlived", kid: "KID" },
    };
    const words = legoWords(all, { folder: "/acme/a", isRenewal: false }).join(" ");
    assert.match(
      words,
      /--server https:\/\/acme\.example\.com\/directory --accept-tos --path \/acme\/a --key-type ec256/,
    );
    assert.match(words, /--domains a\.example\.com --domains 203\.0\.113\.7 --email ops@example\.com --eab --kid KID/);
    assert.match(words, / run --profile shortlived$/);
    const renewal = legoWords(settings, { folder: "/acme/a", isRenewal: true }).join(" ");
    assert.match(renewal, / renew --reuse-key --dynamic --no-random-sleep$/);
    assert.doesNotMatch(renewal, /--email|--eab|--profile/);
  });

  it("asks lego to answer by DNS where the settings say so, and to ask their servers rather than the zone's", () => {
    const wordsFor = (dns: RenewalSettings["dns"]) =>
      legoWords({ ...settings, dns }, { folder: "/acme/a", isRenewal: true }).join(" ");
    assert.match(wordsFor(undefined), / --http --http\.webroot \/challenges renew /);
    assert.match(wordsFor({ provider: "route53", resolvers: [] }), / --disable-cn --dns route53 renew /);
    assert.match(
      wordsFor({ provider: "dnsimple", resolvers: ["192.0.2.53", "192.0.2.54:5353"] }),
      / --dns dnsimple --dns\.resolvers 192\.0\.2\.53 --dns\.resolvers 192\.0\.2\.54:5353 --dns\.propagation-disable-ans --dns\.propagation-rns renew /,
    );
  });

  it("asks for each name once, and for none that a wildcard covers", () => {
    assert.deepEqual(certificateNames("a.example.com", ["b.example.com", "a.example.com"]), [
      "a.example.com",
      "b.example.com",
    ]);
    const names = certificateNames("a.example.com", ["*.example.com", "example.com", "a.b.example.com"]);
    assert.deepEqual(names, ["*.example.com", "example.com", "a.b.example.com"]);
    assert.deepEqual(challengeNames(names), ["_acme-challenge.example.com", "_acme-challenge.a.b.example.com"]);
  });

  it("finds the files that lego names after the first name", () => {
    assert.equal(fileNameOf({ names: ["*.example.com", "example.com"] }), "_.example.com");
    assert.equal(fileNameOf({ names: ["2001:db8::1"] }), "2001-db8--1");
  });

  it("tells why it failed in the words that lego printed last", () => {
    const printed = `2026/11/29 16:05:00 [INFO] acme: Registering account
2026/11/29 16:05:01 Could not obtain certificates:
\terror: one or more domains had a problem:
[a.example.com] invalid authorization: acme: error: 403 :: urn:ietf:params:acme:error:unauthorized :: 404
`;
    assert.match(reasonIn(printed), /^\[a\.example\.com\] invalid authorization: acme: error: 403 :: urn:.* :: 404$/);
    const away =
      "error: one or more domains had a problem:\n[a.example.com] POST https://a giving up after 6 attempt(s)\n";
    assert.equal(reasonIn(away), "[a.example.com] POST https://a giving up after 6 attempt(s)");
    assert.equal(reasonIn("error: one or more domains had a problem:"), "error: one or more domains had a problem:");
    assert.equal(reasonIn("\n2026/11/29 16:05:01 killed\n"), "killed");
    assert.equal(reasonIn(""), "lego printed nothing");
    assert.equal(reasonIn(`error ${"x".repeat(5000)}`).length, 1000);
  });
});
