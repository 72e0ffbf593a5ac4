/**
 * `make test-long` runs the whole matrix: every moment in every cloud, and a run that continues after each. `make test`
 * runs each of them once, on a path with shared steps.
 */
export const isWhole = process.env["MATRIX"] === "whole";

/** The first of similar cases, or all of them in the whole matrix. */
export function oneOf<T>(all: readonly T[]): readonly T[] {
  return isWhole ? all : all.slice(0, 1);
}

/** A test of the whole matrix only, as others prove nearly the same. */
export function itInTestLong(title: string, test: () => Promise<void>): void {
  if (isWhole) it(title, test);
}
