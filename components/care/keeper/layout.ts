/** Where things are in a data folder: the registry's files, and the keeper's own beside them. All paths are relative. */

const registryFolder = "docker/registry/v2";
export const blobsFolder = `${registryFolder}/blobs/sha256`;
export const repositoriesFolder = `${registryFolder}/repositories`;

/** The folder of the keeper, on the same file system as the registry's files: what goes is renamed. */
export const keeperFolder = "keeper";

/** The file that is there while the disk is too full for new pushes: the proxy refuses them. */
export const fullFile = `${keeperFolder}/full`;

/** The folder with a file for each upload that was stopped, by its id: the proxy refuses to go on with it. */
export const stoppedFolder = `${keeperFolder}/stopped`;

/**
 * The file beside the data of a condemned blob: no manifest names it, and from now on it is not to be mounted. It is as
 * old as the sentence.
 *
 * A condemned link has another mark: its owner may execute it. The registry replaces a link with each push, so a new one
 * is free of it at once, and the client that has just pushed a blob finds it. It is as old as the sentence, too.
 */
export const condemnedFile = "condemned";

export function blobFolder(hex: string): string {
  return `${blobsFolder}/${hex.slice(0, 2)}/${hex}`;
}

export function blobData(hex: string): string {
  return `${blobFolder(hex)}/data`;
}

export function blobMarker(hex: string): string {
  return `${blobFolder(hex)}/${condemnedFile}`;
}

/** The folder with a folder for each blob that was pushed to a repository or mounted there. */
export function layersOf(repository: string): string {
  return `${repositoriesFolder}/${repository}/_layers/sha256`;
}

/** The folder with a folder for each manifest of a repository. */
export function revisionsOf(repository: string): string {
  return `${repositoriesFolder}/${repository}/_manifests/revisions/sha256`;
}

/** Whether a name is that of a blob's folder. */
export function isHex(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}
