/** What is sent to a run: fields where its type is known, JSON where it is not or one likes to. */
import type { RunSummary } from "@durable/client";
import { useQuery } from "@tanstack/react-query";
import { Braces, TextCursorInput } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { workflowsQuery } from "../api/queries";
import type { Outline } from "../lib/flow";
import type { Schema } from "../lib/schema";
import { JsonField, readJson } from "./json-field";
import { Button, Skeleton } from "./kit";
import type { Filled } from "./payload-form";

// With it come all kinds of fields and what checks them: most dialogs need none of it.
const PayloadForm = lazy(() => import("./payload-form"));

/** The flow of the code that a run needs, if it is registered where the API is. */
export function useOutline(run: Pick<RunSummary, "workflow" | "version">): Outline | undefined {
  const { data } = useQuery(workflowsQuery);
  const versions = data?.find((it) => it.name === run.workflow)?.versions;
  const found = versions?.find((it) => it.version === run.version);
  return found?.outline as unknown as Outline | undefined;
}

export type Payload = ReturnType<typeof usePayload>;

/** A value that is being written, with what is wrong with it once someone wants to send it. */
export function usePayload(schema: Schema | undefined) {
  const [known, setKnown] = useState(schema);
  const [filled, setFilled] = useState<Filled>();
  const [text, setText] = useState("");
  const [likesJson, setLikesJson] = useState(false);
  const [isChecked, setChecked] = useState(false);
  if (schema !== known) {
    // It is for somebody else now.
    setKnown(schema);
    setFilled(undefined);
    setChecked(false);
  }
  const form = likesJson ? undefined : schema;
  const read = readJson(text);
  const problem = "problem" in read ? `This is no JSON: ${read.problem}` : undefined;
  return {
    schema,
    form,
    filled,
    text,
    isChecked,
    problem: isChecked ? problem : undefined,
    value: form !== undefined ? filled?.value : "value" in read ? read.value : undefined,
    setFilled,
    setText,
    /** Shows it the other way. */
    turn: () => {
      if (form !== undefined) setText(JSON.stringify(filled?.value ?? null, null, 2));
      else if ("value" in read) setFilled({ value: read.value });
      setChecked(false);
      setLikesJson(!likesJson);
    },
    check: () => {
      setChecked(true);
      return form === undefined ? problem === undefined : filled?.problems?.size === 0;
    },
  };
}

export function PayloadField({
  label,
  hint,
  payload,
}: {
  label: string;
  hint: string;
  payload: Payload;
}) {
  const { form } = payload;
  return (
    <div className="flex flex-col gap-1.5">
      {form === undefined ? (
        <JsonField
          label={label}
          hint={hint}
          problem={payload.problem}
          text={payload.text}
          onChange={payload.setText}
        />
      ) : (
        <Suspense fallback={<Skeleton rows={2} />}>
          <PayloadForm
            label={label}
            schema={form}
            filled={payload.filled}
            isChecked={payload.isChecked}
            onFill={payload.setFilled}
          />
        </Suspense>
      )}
      {payload.schema !== undefined && (
        <Button
          icon={form === undefined ? TextCursorInput : Braces}
          className="self-start"
          onClick={payload.turn}
        >
          {form === undefined ? "Fill in fields" : "Write JSON"}
        </Button>
      )}
    </div>
  );
}
