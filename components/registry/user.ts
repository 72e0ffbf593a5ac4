/** Whoever is in this group may read the data; nobody else of the machine may. No usual system has this id. */
export const dataGroup = "65532";

/** An unprivileged id that no account of the usual systems has. */
export const registryUser = `65532:${dataGroup}`;
