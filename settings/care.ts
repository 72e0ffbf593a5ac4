import type * as z from "zod/mini";

import type { CareSettings } from "../components/care/care.ts";
import type { settings } from "./schema.ts";
import type { Some } from "./shape.ts";

export function readCare(given: Some<z.output<typeof settings>>["care"]): CareSettings | undefined {
  if (given?.grace === undefined || given.undo === undefined) return undefined;
  return { collect: given.collect, grace: given.grace, undo: given.undo };
}
