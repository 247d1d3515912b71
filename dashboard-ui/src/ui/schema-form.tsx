/** Fields for a JSON Schema. The value is plain JSON, the same that the JSON tab shows. */
import { Plus, X } from "lucide-react";
import { useId, useState } from "react";
import { blank, formShape, resolve, type Schema, variantOf } from "../lib/schema";
import { Button, cx, IconButton, INPUT } from "./kit";

interface Props {
  schema: Schema;
  root: Schema;
  value: unknown;
  onChange: (value: unknown) => void;
  /** Problems by JSON pointer. */
  problems: ReadonlyMap<string, string>;
  path: string;
  label: string;
  required: boolean;
}

const INPUT_TYPES: Record<string, string> = {
  email: "email",
  uri: "url",
  date: "date",
  password: "password",
};

export function SchemaForm(props: Props) {
  const { schema, root, value, onChange, path, label, required, problems } = props;
  const shape = formShape(schema, root);
  const it = resolve(schema, root);
  const id = useId();
  const problem = problems.get(path);
  const noteId = problem !== undefined || it.description ? `${id}-note` : undefined;
  const common = {
    id,
    "aria-describedby": noteId,
    "aria-invalid": problem !== undefined || undefined,
    "aria-required": required || undefined,
  };
  const note = (
    <p id={noteId} className={cx("text-dense", problem === undefined ? "text-dim" : "font-medium")}>
      {problem !== undefined && <X aria-hidden size={12} className="mr-1 inline text-failed" />}
      {problem ?? it.description}
    </p>
  );
  const head = label !== "" && (
    <label htmlFor={id} className="text-dense font-medium">
      {label}
      {!required && <span className="ml-1 font-normal text-dim">optional</span>}
    </label>
  );
  const field = (control: React.ReactNode) => (
    <div className="flex flex-col gap-1">
      {head}
      {control}
      {noteId !== undefined && note}
    </div>
  );
  switch (shape.is) {
    case "text":
      return field(
        <input
          {...common}
          type={INPUT_TYPES[shape.format ?? ""] ?? "text"}
          className={INPUT}
          value={typeof value === "string" ? value : ""}
          placeholder={shape.format}
          onChange={(event) => onChange(event.target.value)}
        />,
      );
    case "number":
      return field(<NumberInput common={common} shape={shape} value={value} onChange={onChange} />);
    case "boolean":
      return (
        <div className="flex flex-col gap-1">
          <label className="flex items-center gap-2 text-dense font-medium">
            <input
              {...common}
              type="checkbox"
              checked={value === true}
              onChange={(event) => onChange(event.target.checked)}
            />
            {label}
          </label>
          {noteId !== undefined && note}
        </div>
      );
    case "const":
      return null;
    case "choice":
      return field(
        <select
          {...common}
          className={INPUT}
          value={JSON.stringify(value)}
          onChange={(event) => onChange(JSON.parse(event.target.value))}
        >
          {shape.values.map((one) => (
            <option key={JSON.stringify(one)} value={JSON.stringify(one)}>
              {String(one)}
            </option>
          ))}
        </select>,
      );
    case "optional":
      return <OptionalField {...props} inner={shape.schema} />;
    case "variants": {
      const at = variantOf(value, shape.variants, root);
      const picked = shape.variants[at];
      return (
        <div className="flex flex-col gap-2">
          {field(
            <select
              {...common}
              className={INPUT}
              value={at}
              onChange={(event) => {
                const next = shape.variants[Number(event.target.value)];
                if (next) onChange(blank(next.schema, root));
              }}
            >
              {shape.variants.map((one, index) => (
                <option key={one.label} value={index}>
                  {one.label}
                </option>
              ))}
            </select>,
          )}
          {picked && (
            <SchemaForm {...props} schema={picked.schema} label="" required key={picked.label} />
          )}
        </div>
      );
    }
    case "object":
      return <ObjectFields {...props} fields={shape.fields} />;
    case "list":
      return <ListField {...props} item={shape.item} />;
    case "json":
      return field(<JsonInput common={common} value={value} onChange={onChange} />);
  }
}

interface Common {
  id: string;
}

function NumberInput({
  common,
  shape,
  value,
  onChange,
}: {
  common: Common;
  shape: { integer: boolean; min?: number; max?: number };
  value: unknown;
  onChange: (value: unknown) => void;
}) {
  // What is being typed may be no number yet: `-`, `1.`.
  const [text, setText] = useState<string>();
  const known = typeof value === "number" ? String(value) : "";
  return (
    <input
      {...common}
      type="number"
      inputMode={shape.integer ? "numeric" : "decimal"}
      step={shape.integer ? 1 : "any"}
      min={shape.min}
      max={shape.max}
      className={INPUT}
      value={text ?? known}
      onBlur={() => setText(undefined)}
      onChange={(event) => {
        setText(event.target.value);
        const number = event.target.valueAsNumber;
        onChange(Number.isNaN(number) ? null : number);
      }}
    />
  );
}

function JsonInput({
  common,
  value,
  onChange,
}: {
  common: Common;
  value: unknown;
  onChange: (value: unknown) => void;
}) {
  const [text, setText] = useState(() => (value == null ? "" : JSON.stringify(value, null, 2)));
  const [isBad, setBad] = useState(false);
  return (
    <textarea
      {...common}
      rows={3}
      spellCheck={false}
      placeholder="JSON"
      aria-invalid={isBad || undefined}
      className={`${INPUT} h-auto py-1.5 font-mono text-dense`}
      value={text}
      onChange={(event) => {
        setText(event.target.value);
        try {
          onChange(event.target.value.trim() === "" ? null : JSON.parse(event.target.value));
          setBad(false);
        } catch {
          setBad(true);
        }
      }}
    />
  );
}

function OptionalField(props: Props & { inner: Schema }) {
  const { inner, root, value, onChange, label, required } = props;
  const isSet = value != null;
  return (
    <div className="flex flex-col gap-1.5">
      <label className="flex items-center gap-2 text-dense font-medium">
        <input
          type="checkbox"
          checked={isSet}
          onChange={(event) => onChange(event.target.checked ? blank(inner, root) : null)}
        />
        {label}
        {!required && <span className="font-normal text-dim">optional</span>}
      </label>
      {isSet && <SchemaForm {...props} schema={inner} label="" required />}
    </div>
  );
}

function ObjectFields(
  props: Props & { fields: { name: string; schema: Schema; required: boolean }[] },
) {
  const { fields, value, onChange, path, label, root, problems } = props;
  const known = (typeof value === "object" && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  const isTop = label === "";
  const body = fields.map((field) => (
    <SchemaForm
      key={field.name}
      schema={field.schema}
      root={root}
      problems={problems}
      label={field.name}
      path={`${path}/${field.name}`}
      required={field.required}
      value={known[field.name]}
      onChange={(next) => {
        const { [field.name]: _old, ...rest } = known;
        const isLeftOut = !field.required && (next === null || next === "");
        onChange(isLeftOut ? rest : { ...known, [field.name]: next });
      }}
    />
  ));
  if (isTop) return <div className="flex flex-col gap-3.5">{body}</div>;
  return (
    <fieldset className="flex flex-col gap-3 rounded-card border border-line p-3">
      <legend className="px-1 text-dense font-medium">{label}</legend>
      {body}
    </fieldset>
  );
}

function ListField(props: Props & { item: Schema }) {
  const { item, value, onChange, path, label, root } = props;
  const known = Array.isArray(value) ? value : [];
  return (
    <fieldset className="flex flex-col gap-2 rounded-card border border-line p-3">
      <legend className="px-1 text-dense font-medium">{label === "" ? "items" : label}</legend>
      {known.map((one, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: items have no other name
        <div key={index} className="flex items-start gap-2">
          <div className="min-w-0 flex-1">
            <SchemaForm
              {...props}
              schema={item}
              label={`${index + 1}`}
              path={`${path}/${index}`}
              required
              value={one}
              onChange={(next) => onChange(known.map((it, at) => (at === index ? next : it)))}
            />
          </div>
          <IconButton
            icon={X}
            label={`Remove item ${index + 1}`}
            onClick={() => onChange(known.filter((_, at) => at !== index))}
          />
        </div>
      ))}
      <Button
        icon={Plus}
        className="self-start"
        onClick={() => onChange([...known, blank(item, root)])}
      >
        Add
      </Button>
    </fieldset>
  );
}
