import assert from "node:assert/strict";

import { type FoundContainer, planRepairs, type Repairs } from "../../../cli/repairs.ts";
import type { Resource } from "../../../cli/state.ts";

const containerType = "docker:index/container:Container";
const parents = {
  registry: "privateregistry:index:Registry",
  proxy: "privateregistry:index:ReverseProxy",
  setup: "privateregistry:index:Registry$privateregistry:index:OneShot",
  loader: "privateregistry:index:ReverseProxy$privateregistry:index:OneShot",
} as const;
type Role = keyof typeof parents;
const roles = Object.keys(parents) as Role[];

const urnOf = (role: Role) =>
  `urn:pulumi:dev1::private-registry::privateregistry:index:PrivateRegistry$${parents[role]}$${containerType}::${role}`;

/** A container as in `pulumi stack export`, which keeps a server's last exit code. */
function exported(role: Role, outputs: object = {}, more: Partial<Resource> = {}): Resource {
  const name = `stack-${role}`;
  const ended = role === "setup" || role === "loader" ? { exitCode: 0 } : {};
  const state = { inputs: { name }, outputs: { name, ...ended, ...outputs } };
  return { urn: urnOf(role), type: containerType, id: role, ...state, ...more };
}

function found(role: Role, more: Partial<FoundContainer> = {}): FoundContainer {
  const isServer = role === "registry" || role === "proxy";
  return { id: role, name: `stack-${role}`, status: isServer ? "running" : "exited", exitCode: 0, ...more };
}

const sound = { resources: roles.map((role) => exported(role)), containers: roles.map((role) => found(role)) };

describe("what `make up` repairs before Pulumi looks", () => {
  function expect(
    { resources = sound.resources, containers = sound.containers }: Partial<typeof sound>,
    repairs: Partial<Repairs>,
  ) {
    assert.deepEqual(planRepairs(resources, containers), { rerun: [], unpause: [], rename: [], ...repairs });
  }
  const withFound = (role: Role, more: Partial<FoundContainer>) =>
    sound.containers.map((container) => (container.id === role ? { ...container, ...more } : container));
  const withOutputs = (role: Role, outputs: object) =>
    sound.resources.map((resource) => (resource.id === role ? exported(role, outputs) : resource));

  it("is nothing if all is well, and if nothing exists", () => {
    expect({}, {});
    expect({ resources: [], containers: [] }, {});
    expect({ resources: [] }, {});
  });

  for (const role of ["registry", "proxy"] as const)
    for (const [how, exitCode] of [
      ["killed", 137],
      ["stopped", 2],
      ["stopped in time", 0],
    ] as const)
      it(`is not ${role} itself, ${how}, neither while it is down nor afterwards`, () => {
        expect({ containers: withFound(role, { status: "exited", exitCode }) }, {});
        // A refresh stored the code, then the server was started: nothing clears it.
        expect({ resources: withOutputs(role, { exitCode, mustRun: false }) }, {});
        expect({ resources: withOutputs(role, { exitCode, mustRun: true }) }, {});
      });

  for (const role of ["setup", "loader"] as const) {
    it(`is ${role} if it failed, by the state`, () => {
      expect({ resources: withOutputs(role, { exitCode: 3 }) }, { rerun: [urnOf(role)] });
      expect({ resources: withOutputs(role, { exitCode: 3 }), containers: [] }, { rerun: [urnOf(role)] });
    });

    it(`is ${role} if the engine could not start it`, () => {
      expect({ resources: withOutputs(role, { exitCode: null }) }, { rerun: [urnOf(role)] });
      expect({ resources: withOutputs(role, { exitCode: undefined }) }, { rerun: [urnOf(role)] });
    });

    it(`is ${role} if it failed when it was run again by hand, by the engine`, () => {
      expect({ containers: withFound(role, { exitCode: 137 }) }, { rerun: [urnOf(role)] });
    });

    it(`is not ${role} if it is gone: a refresh sees that`, () => {
      expect({ containers: sound.containers.filter(({ id }) => id !== role) }, {});
    });
  }

  it("ignores a container that only waits to be deleted", () => {
    const left = exported("setup", { exitCode: 3 }, { id: "old", delete: true, inputs: { name: "other" } });
    expect({ resources: [...sound.resources, left] }, {});
  });

  it("ignores a container that the state does not know, which is removed", () => {
    const orphan = { id: "orphan", name: "stack-orphan", status: "paused", exitCode: 3 };
    expect({ containers: [...sound.containers, orphan] }, {});
  });

  for (const role of roles) {
    it(`is ${role}, paused`, () => {
      expect({ containers: withFound(role, { status: "paused" }) }, { unpause: [role] });
    });

    it(`is ${role}, renamed, by the name that the program gave it`, () => {
      const rename = [{ id: role, name: `stack-${role}` }];
      expect({ containers: withFound(role, { name: "old" }) }, { rename });
      // Also if a refresh has stored the other name.
      expect(
        { resources: withOutputs(role, { name: "old" }), containers: withFound(role, { name: "old" }) },
        { rename },
      );
    });
  }

  it("is both servers at once", () => {
    const containers = sound.containers.map((each) => ({ ...each, status: "paused", name: `${each.name}-old` }));
    expect({ containers }, { unpause: roles, rename: roles.map((role) => ({ id: role, name: `stack-${role}` })) });
  });
});
