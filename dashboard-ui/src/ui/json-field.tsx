/** JSON as text. */
import { Field, INPUT } from "./kit";

/** Text that is JSON, or what is wrong with it. */
export function readJson(text: string): { value: unknown } | { problem: string } {
  if (text.trim() === "") return { value: null };
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

export function JsonField({
  label,
  hint,
  problem,
  text,
  rows = 5,
  onChange,
}: {
  label: string;
  hint?: string;
  problem: string | undefined;
  text: string;
  rows?: number;
  onChange: (text: string) => void;
}) {
  return (
    <Field label={label} hint={hint} error={problem}>
      {(field, note) => (
        <textarea
          id={field}
          aria-describedby={note}
          aria-invalid={problem !== undefined}
          spellCheck={false}
          rows={rows}
          className={`${INPUT} h-auto py-1.5 font-mono text-dense`}
          value={text}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}
