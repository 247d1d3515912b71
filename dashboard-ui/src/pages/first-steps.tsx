/** What stands where runs will be: how to get the first one. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Play } from "lucide-react";
import { useMay, workflowsQuery } from "../api/queries";
import { CopyButton } from "../ui/kit";

const DEFINE = `use axum_durable::prelude::*;

#[workflow(name = "greet")]
async fn greet(ctx: &WorkflowCtx, name: String) -> Result<String> {
    ctx.step("greet", async || Ok(format!("hello, {name}"))).await
}`;

const REGISTER = `let durable = Durable::builder()
    .store(SqlStore::connect("sqlite://app.db").await?)
    .register(greet)
    .build()
    .await?;`;

function Step({ n, title, code }: { n: number; title: string; code?: string }) {
  return (
    <li className="flex min-w-0 gap-3">
      <span className="mt-0.5 flex size-5 shrink-0 items-center justify-center rounded-full bg-accent-soft text-meta font-semibold text-accent">
        {n}
      </span>
      <div className="min-w-0 flex-1">
        <p className="font-medium">{title}</p>
        {code !== undefined && (
          <div className="relative mt-2">
            <pre
              tabIndex={0}
              className="overflow-x-auto rounded-card border border-line bg-raised p-3 pr-10 font-mono text-dense"
            >
              {code}
            </pre>
            <div className="absolute top-1.5 right-1.5">
              <CopyButton text={code} label="Copy the code" />
            </div>
          </div>
        )}
      </div>
    </li>
  );
}

export function FirstSteps() {
  const { data: workflows = [] } = useQuery(workflowsQuery);
  const may = useMay();
  const has = workflows.length > 0;
  const start = may.act && (
    <div className="mt-2 flex flex-wrap gap-2 pl-8">
      {workflows.map(({ name }) => (
        <Link
          key={name}
          to="/runs/new"
          search={{ workflow: name }}
          className="inline-flex h-8 items-center gap-1.5 rounded-control border border-accent bg-accent px-3 font-medium text-on-accent"
        >
          <Play aria-hidden size={14} /> Start {name}
        </Link>
      ))}
    </div>
  );
  return (
    <section className="mx-auto w-full max-w-2xl px-4 py-8">
      <h2 className="text-h1 font-semibold">No run was ever started here</h2>
      <p className="mt-1 mb-6 text-dim">
        {has
          ? "Workflows are registered. Start one from here, or from your code, and watch it get on."
          : "A workflow is an async function whose steps are remembered. Three steps lead to the first run."}
      </p>
      <ol className="flex flex-col gap-5">
        {!has && <Step n={1} title="Define a workflow" code={DEFINE} />}
        {!has && <Step n={2} title="Register it" code={REGISTER} />}
        <Step
          n={has ? 1 : 3}
          title="Start a run from a handler"
          code={`let run = durable.start(${workflows[0]?.name.replaceAll(/[^a-z0-9]+/gi, "_") ?? "greet"}, input).await?;`}
        />
        {has && may.act && (
          <li>
            <p className="flex items-center gap-3 font-medium">
              <span className="flex size-5 items-center justify-center rounded-full bg-accent-soft text-meta font-semibold text-accent">
                2
              </span>
              Or start one now
            </p>
            {start}
          </li>
        )}
      </ol>
    </section>
  );
}
