import { utils } from "ssh2";

/**
 * A key pair in OpenSSH's notation. ssh2 drops a zero at the beginning of a key, as one of 256 has it, and can't read what
 * it made then: another one is taken.
 */
export function sshKeyPair(): ReturnType<typeof utils.generateKeyPairSync> {
  const pair = utils.generateKeyPairSync("ed25519");
  return utils.parseKey(pair.private) instanceof Error ? sshKeyPair() : pair;
}
