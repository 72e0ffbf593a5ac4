/** What becomes of a blob or a link. `spare`: it was condemned and is needed again. `wait`: its grace is not over. */
export type Fate = "keep" | "spare" | "condemn" | "wait" | "sweep";

export interface BlobFacts {
  /** Whether any manifest of any repository names it. */
  readonly isNamed: boolean;
  /** When its data was written last. */
  readonly written: number;
  /** The newest of its links that are not condemned. Default: none. */
  readonly linked: number | undefined;
  /** When it was condemned, if it is. */
  readonly condemned: number | undefined;
  /** Whether every link to it is due to go as well. */
  readonly isFree: boolean;
}

/** @param young What is as new as that may be part of a push under way. */
export function fateOfBlob({ isNamed, written, linked, condemned, isFree }: BlobFacts, young: number): Fate {
  if (isNamed || written >= young || (linked !== undefined && linked >= young)) {
    return condemned === undefined ? "keep" : "spare";
  }
  if (condemned === undefined) return "condemn";
  return condemned < young && isFree ? "sweep" : "wait";
}

export interface LinkFacts {
  /** Whether any manifest of its repository names its blob. */
  readonly isNamed: boolean;
  /** When it was written last, or condemned. */
  readonly changed: number;
  readonly isCondemned: boolean;
}

/** @param young What is as new as that may be part of a push under way. */
export function fateOfLink({ isNamed, changed, isCondemned }: LinkFacts, young: number): Fate {
  if (isNamed) return isCondemned ? "spare" : "keep";
  if (changed >= young) return isCondemned ? "wait" : "keep";
  return isCondemned ? "sweep" : "condemn";
}
