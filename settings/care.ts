import type * as z from "zod/mini";

import type { CareSettings } from "../components/care/care.ts";
import type { settings } from "./schema.ts";
import type { Some } from "./shape.ts";

export function readCare(given: Some<z.output<typeof settings>>["care"]): CareSettings | undefined {
  if (given === undefined) return undefined;
  const { collect, grace, undo, warning, stop } = given;
  if (grace === undefined || undo === undefined || warning === undefined || stop === undefined) return undefined;
  return { collect, grace, undo, warning, stop };
}
