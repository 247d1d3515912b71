/** Whether a value is of its schema. */
import { type Schema as JsonSchema, Validator } from "@cfworker/json-schema";
import type { Schema } from "./schema";

export const validator = (schema: Schema): Validator =>
  new Validator(schema as JsonSchema, "2020-12", false);

/** What is wrong with a value, by JSON pointer; nothing if it is of the schema. */
export function problemsOf(by: Validator, value: unknown): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  // A value that is left out is none that JSON has.
  const { errors, valid } = by.validate(value ?? null);
  for (const error of errors) {
    // The innermost says what is wrong; those around it only that something is.
    const pointer = error.instanceLocation.replace(/^#/, "");
    if (error.keyword !== "properties" && error.keyword !== "$ref") found.set(pointer, error.error);
  }
  if (!valid && found.size === 0) found.set("", "This is not of the type that is expected.");
  return found;
}
