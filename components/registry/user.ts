/** Only members of this group may read the data. No common system uses this id. */
export const dataGroup = "65532";

/** An unprivileged user id that no common system uses. */
export const registryUser = `65532:${dataGroup}`;
