/** Fields for a value whose schema is known. Loaded when it is needed. */
import { useEffect, useMemo } from "react";
import { blank, type Schema } from "../lib/schema";
import { problemsOf, validator } from "../lib/validate";
import { SchemaForm } from "./schema-form";

/** A value, and what is wrong with it by JSON pointer, once that was looked at. */
export interface Filled {
  value: unknown;
  problems?: ReadonlyMap<string, string>;
}

const NO_PROBLEMS: ReadonlyMap<string, string> = new Map();

export default function PayloadForm({
  label,
  schema,
  filled,
  isChecked,
  onFill,
}: {
  label: string;
  schema: Schema;
  filled: Filled | undefined;
  /** Whether it is shown what is wrong. */
  isChecked: boolean;
  onFill: (filled: Filled) => void;
}) {
  const by = useMemo(() => validator(schema), [schema]);
  const fill = (value: unknown) => onFill({ value, problems: problemsOf(by, value) });
  useEffect(() => {
    if (filled?.problems !== undefined) return;
    const value = filled === undefined ? blank(schema, schema) : filled.value;
    onFill({ value, problems: problemsOf(by, value) });
  }, [filled, schema, by, onFill]);
  useEffect(() => {
    if (isChecked) document.querySelector<HTMLElement>("dialog [aria-invalid=true]")?.focus();
  }, [isChecked]);
  if (filled === undefined) return null;
  const problems = (isChecked ? filled.problems : undefined) ?? NO_PROBLEMS;
  return (
    <>
      <SchemaForm
        schema={schema}
        root={schema}
        value={filled.value}
        onChange={fill}
        problems={problems}
        path=""
        label={label}
        required
      />
      {problems.has("") && (
        <p role="alert" className="text-dense font-medium">
          {problems.get("")}
        </p>
      )}
    </>
  );
}
