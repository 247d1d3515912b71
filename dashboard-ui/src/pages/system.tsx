/** What this instance is and how it is set up. */
import { useQuery } from "@tanstack/react-query";
import { ExternalLink } from "lucide-react";
import { metaQuery } from "../api/queries";
import { apiUrl, basePath } from "../lib/base";
import { count, duration } from "../lib/format";
import { Card, CopyButton, PageHead, Skeleton, Trouble, useTitle } from "../ui/kit";

export default function System(): React.JSX.Element {
  useTitle("System");
  const { data: meta, error, refetch, dataUpdatedAt } = useQuery(metaQuery);
  if (meta === undefined) {
    return (
      <>
        <PageHead title="System" />
        {error === null ? (
          <Skeleton rows={8} />
        ) : (
          <Trouble error={error} retry={() => void refetch()} />
        )}
      </>
    );
  }
  const skew = meta.now - dataUpdatedAt;
  const { residents, settings, access } = meta;
  const can = ["look at runs"];
  if (access.payloads) can.push("see payloads");
  if (access.act) can.push("start, signal, pause, retry, fork and cancel");
  if (access.administer) can.push("skip steps, make runs fail and delete them");
  return (
    <>
      <PageHead title="System" aside={`axum-durable ${meta.version}`} />
      <div className="grid gap-4 px-4 pb-8 lg:grid-cols-2">
        <Card title="This instance">
          <Facts
            rows={[
              [
                "Instance",
                <span key="id" className="inline-flex items-center font-mono text-dense">
                  {meta.instance}
                  <CopyButton text={meta.instance} label="Copy the id" />
                </span>,
              ],
              [
                "Role",
                meta.drives
                  ? "Executes runs, and answers this console."
                  : "Answers only (drive is off): runs are started, signalled and shown here, and executed by other instances.",
              ],
              ["Store", meta.store],
              [
                "Control plane",
                meta.control_plane
                  ? "There is one: instances tell each other news at once."
                  : "There is none: what other instances do is found in the store, within a second. What this one does is seen at once.",
              ],
              [
                "Runs in memory",
                <span key="residents">
                  {count(residents.runs)} of at most {count(residents.most)}
                  {residents.runs > 0 && <>, {count(residents.parked)} of them only wait</>}
                </span>,
              ],
              [
                "Clock",
                Math.abs(skew) < 2_000
                  ? "agrees with this browser's"
                  : `${duration(Math.abs(skew))} ${skew > 0 ? "ahead of" : "behind"} this browser's`,
              ],
              [
                "Mounted at",
                <code key="base" className="font-mono text-dense">
                  {basePath || "/"}
                </code>,
              ],
            ]}
          />
          <div aria-hidden className="mx-3 mb-3 h-1.5 overflow-hidden rounded-full bg-sunken">
            <div
              className="h-full bg-running"
              style={{ width: `${Math.min(100, (residents.runs / residents.most) * 100)}%` }}
            />
          </div>
        </Card>
        <Card title="You">
          <Facts
            rows={[
              ["Name", access.actor ?? "not named by the host"],
              ["You may", can.join(", ")],
            ]}
          />
          <p className="border-t border-line px-3 py-2 text-dense text-dim">
            Every action is logged under <code className="font-mono">axum_durable::audit</code> with
            the name of who took it and the reason given. Payloads never are.
          </p>
        </Card>
        <Card title="Settings">
          <Facts
            rows={[
              ["Lease", duration(settings.lease_ttl_ms)],
              ["Looks for due runs every", duration(settings.poll_interval_ms)],
              ["Looks for dead instances every", duration(settings.recovery_interval_ms)],
              ["A waiting run stays in memory for", duration(settings.evict_after_ms)],
              ["Recoveries before a run is given up", count(settings.max_recovery_attempts)],
              ["Changes in one commit, at most", count(settings.journal_batch)],
            ]}
          />
        </Card>
        <Card title="API">
          <ul className="flex flex-col gap-1 px-3 py-3">
            <li>
              <a
                href={`${apiUrl}/openapi.json`}
                className="inline-flex items-center gap-1.5 text-accent hover:underline"
              >
                <ExternalLink aria-hidden size={13} /> OpenAPI document
              </a>
            </li>
            <li>
              <a
                href={`${apiUrl}/metrics?format=prometheus`}
                className="inline-flex items-center gap-1.5 text-accent hover:underline"
              >
                <ExternalLink aria-hidden size={13} /> Numbers of this process, for Prometheus
              </a>
            </li>
            <li className="text-dim">Offers {meta.capabilities.join(", ")}.</li>
          </ul>
        </Card>
      </div>
    </>
  );
}

function Facts({ rows }: { rows: [string, React.ReactNode][] }) {
  return (
    <dl className="grid grid-cols-[minmax(120px,auto)_1fr] gap-x-4 gap-y-1.5 px-3 py-3">
      {rows.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-dim">{name}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
