/**
 * Forms from JSON Schema: what `schemars` emits becomes fields, everything else a box for JSON.
 */

export type Schema = boolean | SchemaObject;

export interface SchemaObject {
  $ref?: string;
  $defs?: Record<string, Schema>;
  type?: string | string[];
  title?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema;
  items?: Schema;
  prefixItems?: Schema[];
  enum?: unknown[];
  const?: unknown;
  oneOf?: Schema[];
  anyOf?: Schema[];
  allOf?: Schema[];
  format?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  default?: unknown;
}

/** What a form shows for a schema. */
export type FormShape =
  | { is: "text"; format?: string; long?: boolean }
  | { is: "number"; integer: boolean; min?: number; max?: number }
  | { is: "boolean" }
  | { is: "const"; value: unknown }
  | { is: "choice"; values: unknown[] }
  | { is: "object"; fields: FormField[]; open: boolean }
  | { is: "list"; item: Schema }
  | { is: "variants"; variants: { label: string; schema: Schema }[] }
  | { is: "optional"; schema: Schema }
  | { is: "json" };

export interface FormField {
  name: string;
  schema: Schema;
  required: boolean;
}

/** Deeper references are most likely recursive. */
const MAX_DEPTH = 24;

/** The schema behind references, merged with what stands beside them. */
export function resolve(schema: Schema, root: Schema, depth = 0): SchemaObject {
  if (typeof schema === "boolean" || depth > MAX_DEPTH) return {};
  let found: SchemaObject = schema;
  if (schema.$ref !== undefined) {
    const { $ref, ...beside } = schema;
    found = { ...resolve(lookUp($ref, root), root, depth + 1), ...beside };
  }
  if (found.allOf !== undefined) {
    const { allOf, ...beside } = found;
    found = [...allOf, beside].reduce<SchemaObject>(
      (all, part) => merge(all, resolve(part, root, depth + 1)),
      {},
    );
  }
  return found;
}

function lookUp(ref: string, root: Schema): Schema {
  if (ref === "#") return root;
  let at: unknown = root;
  for (const part of ref.replace(/^#\//, "").split("/")) {
    const name = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    at = (at as Record<string, unknown> | undefined)?.[name];
  }
  return (at as Schema | undefined) ?? true;
}

function merge(one: SchemaObject, other: SchemaObject): SchemaObject {
  const required = [...(one.required ?? []), ...(other.required ?? [])];
  const merged = { ...one, ...other };
  if (one.properties || other.properties) {
    merged.properties = { ...one.properties, ...other.properties };
  }
  if (required.length > 0) merged.required = [...new Set(required)];
  return merged;
}

/** What a form shows for a schema. */
export function formShape(schema: Schema, root: Schema): FormShape {
  const it = resolve(schema, root);
  if (it.const !== undefined) return { is: "const", value: it.const };
  if (it.enum !== undefined) return { is: "choice", values: it.enum };
  const some = it.oneOf ?? it.anyOf;
  if (some !== undefined) return variants(some, it, root);
  const types = Array.isArray(it.type) ? it.type : it.type === undefined ? [] : [it.type];
  const real = types.filter((type) => type !== "null");
  if (real.length === 1 && types.length === 2) {
    return { is: "optional", schema: { ...it, type: real[0] } };
  }
  if (real.length !== 1) {
    return it.properties === undefined ? { is: "json" } : objectShape(it);
  }
  switch (real[0]) {
    case "string":
      return { is: "text", format: it.format };
    case "integer":
    case "number":
      return { is: "number", integer: real[0] === "integer", min: it.minimum, max: it.maximum };
    case "boolean":
      return { is: "boolean" };
    case "array":
      return it.prefixItems !== undefined || it.items === undefined || it.items === false
        ? { is: "json" }
        : { is: "list", item: it.items };
    case "object":
      return it.properties === undefined ? { is: "json" } : objectShape(it);
    default:
      return { is: "json" };
  }
}

function objectShape(it: SchemaObject): FormShape {
  // The keys come sorted; those that are required stand in the order of their declaration.
  const place = (name: string) => {
    const at = it.required?.indexOf(name) ?? -1;
    return at === -1 ? Number.POSITIVE_INFINITY : at;
  };
  const fields = Object.entries(it.properties ?? {})
    .map(([name, schema]) => ({ name, schema, required: it.required?.includes(name) ?? false }))
    .sort((a, b) => (place(a.name) < place(b.name) ? -1 : 1));
  return { is: "object", fields, open: it.additionalProperties === true };
}

function variants(some: Schema[], it: SchemaObject, root: Schema): FormShape {
  const { oneOf: _one, anyOf: _any, ...beside } = it;
  const resolved = some.map((one) => resolve(one, root));
  const real = resolved.filter((one) => one.type !== "null");
  if (real.length === 1 && real.length < resolved.length) {
    return { is: "optional", schema: merge(beside, real[0]!) };
  }
  if (real.every((one) => one.const !== undefined)) {
    return { is: "choice", values: real.map((one) => one.const) };
  }
  return {
    is: "variants",
    variants: real.map((one, index) => ({
      label: variantLabel(one, root) ?? `variant ${index + 1}`,
      // What stands beside the variants holds for each of them.
      schema: beside.properties === undefined ? one : merge(beside, one),
    })),
  };
}

/** The tag of a variant, or the only key of one that is tagged from outside. */
function variantLabel(one: SchemaObject, root: Schema): string | undefined {
  if (one.title !== undefined) return one.title;
  if (one.const !== undefined) return String(one.const);
  const properties = Object.entries(one.properties ?? {});
  for (const [, property] of properties) {
    const value = resolve(property, root).const;
    if (typeof value === "string") return value;
  }
  return properties.length === 1 ? properties[0]![0] : undefined;
}

/** A first value for a schema: what is required, empty. */
export function blank(schema: Schema, root: Schema, depth = 0): unknown {
  const it = resolve(schema, root);
  if (it.default !== undefined) return it.default;
  const shape = formShape(schema, root);
  if (depth > 8) return null;
  switch (shape.is) {
    case "text":
      return "";
    case "number":
      return shape.min ?? 0;
    case "boolean":
      return false;
    case "const":
      return shape.value;
    case "choice":
      return shape.values[0];
    case "list":
      return [];
    case "optional":
    case "json":
      return null;
    case "variants":
      return blank(shape.variants[0]?.schema ?? true, root, depth + 1);
    case "object":
      return Object.fromEntries(
        shape.fields
          .filter((field) => field.required)
          .map((field) => [field.name, blank(field.schema, root, depth + 1)]),
      );
  }
}

/** Which variant a value most likely is: the first whose constants and required keys fit. */
export function variantOf(
  value: unknown,
  all: { label: string; schema: Schema }[],
  root: Schema,
): number {
  const fits = (schema: Schema): boolean => {
    const it = resolve(schema, root);
    if (it.const !== undefined) return it.const === value;
    if (it.properties === undefined) return typeof value !== "object" || value === null;
    if (typeof value !== "object" || value === null) return false;
    const has = value as Record<string, unknown>;
    return Object.entries(it.properties).every(([name, property]) => {
      const must = resolve(property, root).const;
      if (must !== undefined) return has[name] === must;
      return !it.required?.includes(name) || name in has;
    });
  };
  return Math.max(
    0,
    all.findIndex((one) => fits(one.schema)),
  );
}
