/** What clients must know of a registry to trust it. */
export interface Trusted {
  /** What people type after `docker login`: `host` or `host:port`. */
  readonly endpoint: string;
  /** PEM; empty if clients trust the certificate without it. */
  readonly caCertificate: string;
  /** SHA-256 in hexadecimal pairs. */
  readonly caFingerprint: string;
}

/** Where BuildKit and k3s look for the authority: they take a path, and have no folder for registries. */
const places = { buildkit: "/etc/buildkit/certs.d", k3s: "/etc/rancher/k3s/certs.d" };

/**
 * The files with which each kind of client trusts a registry, by their path in the bundle, and a guide. No secret is in
 * them. Empty if clients trust the certificate without them.
 */
export function renderTrustBundle(trusted: Trusted): Record<string, string> {
  const { endpoint, caCertificate } = trusted;
  if (caCertificate === "") return {};
  return {
    "README.md": renderGuide(trusted),
    "ca.crt": caCertificate,
    [`docker/certs.d/${endpoint}/ca.crt`]: caCertificate,
    [`containers/certs.d/${endpoint}/ca.crt`]: caCertificate,
    [`containerd/certs.d/${endpoint}/ca.crt`]: caCertificate,
    [`containerd/certs.d/${endpoint}/hosts.toml`]: renderHostsToml(endpoint),
    [`buildkit/certs.d/${endpoint}/ca.crt`]: caCertificate,
    "buildkit/buildkitd.toml": renderBuildkitToml(endpoint),
    [`k3s/certs.d/${endpoint}/ca.crt`]: caCertificate,
    "k3s/registries.yaml": `configs:
  "${endpoint}":
    tls:
      ca_file: ${places.k3s}/${endpoint}/ca.crt
`,
  };
}

/** containerd reads a relative path from the folder of this file. */
function renderHostsToml(endpoint: string): string {
  return `server = "https://${endpoint}"

[host."https://${endpoint}"]
  capabilities = ["pull", "resolve", "push"]
  ca = "ca.crt"
`;
}

function renderBuildkitToml(endpoint: string): string {
  // Without http = false it speaks plain HTTP to this machine, whatever ca says.
  const local = /^(localhost|127\.|\[::1\])/.test(endpoint) ? "  http = false\n" : "";
  return `[registry."${endpoint}"]
  ca = ["${places.buildkit}/${endpoint}/ca.crt"]
${local}`;
}

function renderGuide({ endpoint, caFingerprint }: Trusted): string {
  return `# How clients trust ${endpoint}

The registry has an authority of its own. Each client must trust it once. Its fingerprint, to compare with what the
registry's operator says:

    SHA-256 ${caFingerprint}

Run the commands in the folder of this file, on the machine of the client, with \`sudo\` where you are not root.

## Docker engine

    mkdir -p /etc/docker && cp -r docker/certs.d /etc/docker/

No restart is needed. Rootless Docker: \`~/.config/docker\` in place of \`/etc/docker\`. Docker Desktop: add \`ca.crt\` to the
system's trust store (macOS: \`security add-trusted-cert -k ~/Library/Keychains/login.keychain-db ca.crt\`; Windows:
\`certutil -addstore Root ca.crt\`), then restart it.

## podman, skopeo, buildah, CRI-O

    mkdir -p /etc/containers && cp -r containers/certs.d /etc/containers/

For one user only: \`~/.config/containers\` in place of \`/etc/containers\`.

## containerd

    mkdir -p /etc/containerd && cp -r containerd/certs.d /etc/containerd/

Its \`config.toml\` must name that folder. Version 3 of the file:

    [plugins."io.containerd.cri.v1.images".registry]
      config_path = "/etc/containerd/certs.d"

Version 2: \`[plugins."io.containerd.grpc.v1.cri".registry]\`. \`ctr\` takes \`--hosts-dir /etc/containerd/certs.d\`.

## BuildKit, buildx

    mkdir -p /etc/buildkit && cp -r buildkit/certs.d /etc/buildkit/
    tee -a /etc/buildkit/buildkitd.toml <buildkit/buildkitd.toml

Then restart \`buildkitd\`. Or make a builder with these settings:

    docker buildx create --use --buildkitd-config buildkit/buildkitd.toml

In a workflow with \`docker/setup-buildx-action\`, write \`ca.crt\` to \`${places.buildkit}/${endpoint}/ca.crt\` first, and give
the text of \`buildkitd.toml\` as \`buildkitd-config-inline\`.

## k3s

    mkdir -p ${places.k3s} && cp -r k3s/certs.d/. ${places.k3s}/

Put \`k3s/registries.yaml\` into \`/etc/rancher/k3s/registries.yaml\`, or merge the two, then restart k3s on each node.

## Kubernetes

Trust is the node's: see containerd or CRI-O. The password is a pull secret; if this folder has one:

    kubectl apply -f kubernetes/pull-secret.yaml

and name it in \`imagePullSecrets\` of the pod or of its service account.

## Others

- crane, and most clients in Go: \`SSL_CERT_FILE=ca.crt\` in their environment
- oras: \`--ca-file ca.crt\`, and for \`localhost\` also \`--plain-http=false\`; helm: \`--ca-file ca.crt\`
- regctl: \`regctl registry set --cacert "$(cat ca.crt)" ${endpoint}\`
- curl: \`--cacert ca.crt\`
`;
}
