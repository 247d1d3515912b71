/** Failed runs by reason: the same reason once, however many runs it has met. */
import type { Batch, FailureGroup } from "@durable/client";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Bug, CircleCheckBig, RotateCw } from "lucide-react";
import { useState } from "react";
import { failuresQuery, useMay } from "../api/queries";
import { count } from "../lib/format";
import { type Search, token } from "../lib/search";
import { runLook } from "../lib/status";
import { BatchDialog, BatchTray } from "../ui/batch";
import { Button, Card, Empty, LookIcon, PageHead, Skeleton, Trouble, useTitle } from "../ui/kit";
import { Ago, At } from "../ui/time";

export default function Errors(): React.JSX.Element {
  useTitle("Errors");
  const { data, error, isPending, refetch } = useQuery(failuresQuery);
  const groups = data?.groups ?? [];
  // Here and not in the groups: one that is retried is gone before its runs are all told.
  const [asks, setAsks] = useState<Search>();
  const [batch, setBatch] = useState<Batch>();
  return (
    <>
      <PageHead title="Errors" aside={data && !data.is_complete && "by the newest failed runs"} />
      {error !== null && data === undefined ? (
        <Trouble error={error} retry={() => void refetch()} />
      ) : isPending ? (
        <Skeleton rows={6} height={64} />
      ) : groups.length === 0 ? (
        <Empty icon={CircleCheckBig} title="No run has failed">
          Runs that fail, are blocked or are given up appear here, grouped by their reason.
        </Empty>
      ) : (
        <div className="flex flex-col gap-3 px-4 pb-8">
          {groups.map((group) => (
            <Group
              key={`${group.workflow} ${group.code} ${group.fingerprint}`}
              group={group}
              onRetry={setAsks}
            />
          ))}
        </div>
      )}
      {asks && (
        <BatchDialog
          action="retry"
          search={asks}
          onBegin={setBatch}
          onClose={() => setAsks(undefined)}
        />
      )}
      {batch && <BatchTray key={batch.id} batch={batch} onClose={() => setBatch(undefined)} />}
    </>
  );
}

function Group({ group, onRetry }: { group: FailureGroup; onRetry: (which: Search) => void }) {
  const may = useMay();
  const statuses = Object.entries(group.statuses as Record<string, number>);
  const broken = statuses.map(([status]) => status).join(",");
  return (
    <Card>
      <div className="flex flex-wrap items-start gap-x-4 gap-y-2 px-4 py-3">
        <span className="flex items-center gap-2">
          <Bug aria-hidden size={16} className="text-failed" />
          <span className="text-figure font-semibold">{count(group.runs)}</span>
        </span>
        <div className="min-w-0 flex-1 basis-80">
          <h2 className="font-medium break-words">{group.sample}</h2>
          <p className="mt-0.5 flex flex-wrap gap-x-3 text-dense text-dim">
            <Link
              to="/workflows/$name"
              params={{ name: group.workflow }}
              className="hover:text-ink hover:underline"
            >
              {group.workflow}
            </Link>
            {group.code != null && <span className="font-mono">{group.code}</span>}
            <span>
              last <Ago at={group.last_at} />
            </span>
            <span>
              first <At at={group.first_at} />
            </span>
            {statuses.map(([status, n]) => (
              <span key={status} className="inline-flex items-center gap-1">
                <LookIcon look={runLook(status)} size={12} />
                {count(n)} {runLook(status).label.toLowerCase()}
              </span>
            ))}
          </p>
        </div>
        <div className="flex gap-2">
          <Link
            to="/runs/$id"
            params={{ id: group.newest }}
            className="inline-flex h-7 items-center rounded-control border border-line px-2.5 text-dense font-medium hover:bg-raised"
          >
            Newest run
          </Link>
          {may.act && (
            <Button
              icon={RotateCw}
              onClick={() =>
                onRetry({ statuses: Object.keys(group.statuses), workflow: group.workflow })
              }
            >
              Retry all of this workflow…
            </Button>
          )}
          <Link
            to="/runs"
            search={{ q: `${token("workflow", group.workflow)} status:${broken}` }}
            className="inline-flex h-7 items-center rounded-control border border-line px-2.5 text-dense font-medium hover:bg-raised"
          >
            All failed runs of this workflow
          </Link>
        </div>
      </div>
    </Card>
  );
}
