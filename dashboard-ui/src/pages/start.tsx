/** Starting a run: a form from the schema of the workflow's input, or the JSON itself. */
import { DurableError, type StartRequest } from "@durable/client";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Braces, Play, ShieldOff, TextCursorInput } from "lucide-react";
import { type FormEvent, useEffect, useMemo, useState } from "react";
import { durable, queryClient } from "../api/client";
import { payloadsQuery, useMay, workflowsQuery } from "../api/queries";
import { apiUrl } from "../lib/base";
import { blank, type Schema } from "../lib/schema";
import { problemsOf, validator } from "../lib/validate";
import { startRoute } from "../router";
import { readJson } from "../ui/json-field";
import {
  Button,
  CopyButton,
  Empty,
  Field,
  INPUT,
  PageHead,
  Skeleton,
  Tabs,
  Trouble,
  useTitle,
} from "../ui/kit";
import { SchemaForm } from "../ui/schema-form";
import { toast } from "../ui/toast";
import { FirstSteps } from "./first-steps";

export default function Start(): React.JSX.Element {
  useTitle("Start a run");
  const { workflow, from } = startRoute.useSearch();
  const navigate = useNavigate({ from: "/runs/new" });
  const may = useMay();
  const { data: workflows, error, refetch } = useQuery(workflowsQuery);
  const old = useQuery({ ...payloadsQuery(from ?? "", 0), enabled: from !== undefined });
  const picked = workflows?.find((it) => it.name === workflow) ?? workflows?.[0];
  return (
    <>
      <PageHead title="Start a run" aside={from && <>again, from {from}</>} />
      {error !== null && <Trouble error={error} retry={() => void refetch()} />}
      {!may.act && workflows !== undefined ? (
        <Empty icon={ShieldOff} title="You may not start runs here">
          This console is read-only for you.
        </Empty>
      ) : workflows === undefined || (from !== undefined && old.isPending) ? (
        <Skeleton rows={6} />
      ) : picked === undefined ? (
        <FirstSteps />
      ) : (
        <div className="max-w-2xl px-4 pb-12">
          <Field label="Workflow">
            {(id) => (
              <select
                id={id}
                className={INPUT}
                value={picked.name}
                onChange={(event) =>
                  void navigate({ search: { workflow: event.target.value }, replace: true })
                }
              >
                {workflows.map((it) => (
                  <option key={it.name}>{it.name}</option>
                ))}
              </select>
            )}
          </Field>
          <Form
            key={`${picked.name} ${from ?? ""}`}
            name={picked.name}
            versions={picked.versions.map((it) => it.version)}
            schemaOf={(version) =>
              picked.versions.find((it) => it.version === version)?.input_schema as Schema
            }
            known={from === undefined ? undefined : old.data?.input}
          />
        </div>
      )}
    </>
  );
}

function Form({
  name,
  versions,
  schemaOf,
  known,
}: {
  name: string;
  versions: number[];
  schemaOf: (version: number) => Schema;
  /** The input of the run that is started again. */
  known: unknown;
}) {
  const navigate = useNavigate();
  const [version, setVersion] = useState(versions.at(-1)!);
  const schema = schemaOf(version);
  const [value, setValue] = useState<unknown>(() => known ?? blank(schema, schema));
  const [tab, setTab] = useState<"form" | "json">("form");
  const [text, setText] = useState("");
  const [id, setId] = useState("");
  const [tags, setTags] = useState("");
  const [delay, setDelay] = useState("");
  const [priority, setPriority] = useState("");
  const [reason, setReason] = useState("");
  const [problems, setProblems] = useState<ReadonlyMap<string, string>>(new Map());
  const by = useMemo(() => validator(schema), [schema]);
  const pickTab = (next: "form" | "json") => {
    if (next === "json") setText(JSON.stringify(value, null, 2));
    setTab(next);
  };
  const request: StartRequest = {
    workflow: name,
    version,
    input: value,
    ...(id.trim() ? { id: id.trim() } : {}),
    ...(tags.trim() ? { tags: tags.split(/[\s,]+/).filter(Boolean) } : {}),
    ...(Number(priority) !== 0 ? { priority: Math.round(Number(priority)) } : {}),
    ...(Number(delay) > 0 ? { delay_ms: Math.round(Number(delay) * 1_000) } : {}),
    ...(reason.trim() ? { reason: reason.trim() } : {}),
  };
  const start = useMutation({
    mutationFn: (body: StartRequest) => durable.start(body),
    onSuccess: ({ run_id, status }) => {
      toast(status === "pending" ? `${run_id} is on its way` : `${run_id} had been started before`);
      void queryClient.invalidateQueries({ queryKey: ["runs"] });
      void navigate({ to: "/runs/$id", params: { id: run_id } });
    },
  });
  const textProblem = tab === "json" ? jsonProblem(text) : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (textProblem !== undefined) return;
    const found = problemsOf(by, value);
    setProblems(found);
    if (found.size === 0) start.mutate(request);
  };
  useEffect(() => {
    if (problems.size > 0) document.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [problems]);
  const outside = [...problems].filter(([pointer]) => pointer === "" || tab === "json");
  return (
    <form className="mt-5 flex flex-col gap-5" onSubmit={submit} noValidate>
      <section>
        <div className="mb-3 flex items-end justify-between border-b border-line">
          <h2 className="pb-1.5 text-h2 font-medium">Input</h2>
          <Tabs
            label="How to write the input"
            tabs={[
              { id: "form", label: "Form", icon: TextCursorInput },
              { id: "json", label: "JSON", icon: Braces },
            ]}
            now={tab}
            onPick={pickTab}
          />
        </div>
        <div role="tabpanel" id="tab-panel" aria-labelledby={`tab-${tab}`}>
          {tab === "form" ? (
            <SchemaForm
              schema={schema}
              root={schema}
              value={value}
              onChange={setValue}
              problems={problems}
              path=""
              label=""
              required
            />
          ) : (
            <textarea
              aria-label="Input as JSON"
              aria-invalid={textProblem !== undefined || undefined}
              rows={12}
              spellCheck={false}
              className={`${INPUT} h-auto py-2 font-mono text-dense`}
              value={text}
              onChange={(event) => {
                setText(event.target.value);
                const read = readJson(event.target.value);
                if ("value" in read) setValue(read.value);
              }}
            />
          )}
          {textProblem !== undefined && (
            <p role="alert" className="mt-1 text-dense font-medium">
              {textProblem}
            </p>
          )}
          {outside.map(([pointer, problem]) => (
            <p key={pointer} role="alert" className="mt-1 text-dense font-medium">
              <span className="font-mono">{pointer || "input"}</span>: {problem}
            </p>
          ))}
        </div>
      </section>
      <section className="grid gap-4 sm:grid-cols-2">
        <Field label="Run id" hint="Optional. If a run has it already, that one is found.">
          {(field, note) => (
            <input
              id={field}
              aria-describedby={note}
              className={`${INPUT} font-mono text-dense`}
              value={id}
              onChange={(event) => setId(event.target.value)}
            />
          )}
        </Field>
        <Field label="Tags" hint="Optional, with blanks between them.">
          {(field, note) => (
            <input
              id={field}
              aria-describedby={note}
              className={INPUT}
              value={tags}
              onChange={(event) => setTags(event.target.value)}
            />
          )}
        </Field>
        <Field label="Begin after, in seconds" hint="Optional; at once otherwise.">
          {(field, note) => (
            <input
              id={field}
              aria-describedby={note}
              type="number"
              min={0}
              className={INPUT}
              value={delay}
              onChange={(event) => setDelay(event.target.value)}
            />
          )}
        </Field>
        <Field label="Priority" hint="Optional. Of the runs that wait, higher ones go first.">
          {(field, note) => (
            <input
              id={field}
              aria-describedby={note}
              type="number"
              step={1}
              min={-(2 ** 31)}
              max={2 ** 31 - 1}
              placeholder="0"
              className={INPUT}
              value={priority}
              onChange={(event) => setPriority(event.target.value)}
            />
          )}
        </Field>
        {versions.length > 1 && (
          <Field label="Version">
            {(field) => (
              <select
                id={field}
                className={INPUT}
                value={version}
                onChange={(event) => setVersion(Number(event.target.value))}
              >
                {versions.map((it) => (
                  <option key={it}>{it}</option>
                ))}
              </select>
            )}
          </Field>
        )}
        <Field label="Reason" hint="Optional; it is logged with your name.">
          {(field, note) => (
            <input
              id={field}
              aria-describedby={note}
              className={INPUT}
              value={reason}
              maxLength={300}
              onChange={(event) => setReason(event.target.value)}
            />
          )}
        </Field>
      </section>
      {start.error !== null && (
        <Trouble
          error={start.error}
          retry={
            start.error instanceof DurableError && start.error.status < 500
              ? undefined
              : () => start.mutate(request)
          }
        />
      )}
      <div className="flex flex-wrap items-center gap-2">
        <Button
          type="submit"
          look="primary"
          icon={Play}
          busy={start.isPending}
          className="h-8! px-4!"
        >
          Start {name}
        </Button>
        <span className="ml-auto inline-flex items-center text-dense text-dim">
          as curl
          <CopyButton label="Copy as a curl command" text={curl(request)} />
        </span>
        <span className="inline-flex items-center text-dense text-dim">
          as Rust
          <CopyButton label="Copy as Rust code" text={rust(request)} />
        </span>
      </div>
    </form>
  );
}

function jsonProblem(text: string): string | undefined {
  const read = readJson(text);
  return "problem" in read ? `This is no JSON: ${read.problem}` : undefined;
}

function curl(request: StartRequest): string {
  const body = JSON.stringify(request).replaceAll("'", "'\\''");
  return `curl -X POST '${apiUrl}/runs' -H 'content-type: application/json' -d '${body}'`;
}

function rust(request: StartRequest): string {
  const lines = [`durable.start_named(${JSON.stringify(request.workflow)}, &serde_json::json!(`];
  lines.push(JSON.stringify(request.input, null, 4));
  lines.push("))");
  if (request.id) lines.push(`.id(${JSON.stringify(request.id)})`);
  for (const tag of request.tags ?? []) lines.push(`.tag(${JSON.stringify(tag)})`);
  if (request.priority) lines.push(`.priority(${request.priority})`);
  if (request.delay_ms) lines.push(`.delay(Duration::from_millis(${request.delay_ms}))`);
  return `${lines.join("\n")}\n.await?`;
}
