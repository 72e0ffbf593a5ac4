import ssh2 from "ssh2";

/**
 * A key pair in OpenSSH's notation. ssh2 drops a zero at the beginning of a key, as one of 256 has it, and can't read what
 * it made then: another one is taken.
 */
export function sshKeyPair(): ReturnType<typeof ssh2.utils.generateKeyPairSync> {
  const pair = ssh2.utils.generateKeyPairSync("ed25519");
  return ssh2.utils.parseKey(pair.private) instanceof Error ? sshKeyPair() : pair;
}
