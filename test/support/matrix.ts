/**
 * `make test-long` runs the whole matrix: every moment in every cloud, and a run that goes on after each. `make test`
 * runs each of them once, on a path that shares what leads there.
 */
export const isWhole = process.env["MATRIX"] === "whole";

/** Of what is alike the first, or all of it in the whole matrix. */
export function oneOf<T>(all: readonly T[]): readonly T[] {
  return isWhole ? all : all.slice(0, 1);
}

/** A test that only the whole matrix has, as others prove nearly the same. */
export function itInTestLong(title: string, test: () => Promise<void>): void {
  if (isWhole) it(title, test);
}
