// Prints the environment in which the `docker` client talks to the engine that a stack's settings name.
//   eval "$(tsx scripts/engine-env.ts STACK)"
import { EngineNotFound, findEngine } from "../components/hosts/engine";
import { settingsOf } from "./pulumi";

const [stack = ""] = process.argv.slice(2);
const setting = settingsOf(stack);

try {
  const { host, certPath } = findEngine({
    dockerHost: setting("dockerHost"),
    dockerContext: setting("dockerContext"),
    dockerMachine: setting("dockerMachine"),
  });
  console.log("unset DOCKER_CONTEXT");
  console.log(`export DOCKER_HOST='${host}'`);
  console.log(
    certPath === undefined
      ? "unset DOCKER_TLS_VERIFY DOCKER_CERT_PATH"
      : `export DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH='${certPath}'`,
  );
} catch (error) {
  if (!(error instanceof EngineNotFound)) throw error;
  console.error(`${error.setting}: ${error.message}.\n    ${error.cure}`);
  console.log("false"); // What is printed is eval'd: a failure is a command that fails.
  process.exitCode = 1;
}
