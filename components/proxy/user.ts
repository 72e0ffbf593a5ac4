/** The ids of `nginx` in the official image. */
export const proxyUser = "101:101";
