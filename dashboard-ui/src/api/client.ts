import { DurableError, durableClient } from "@durable/client";
import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { apiUrl } from "../lib/base";
import { onReturn, signedOut } from "../lib/session";

export const durable = durableClient({ baseUrl: apiUrl });

/** Where a payload of a run, or that of an operation, can be had whole. */
export const payloadHref = (id: string, part: "input" | "output" | number): string => {
  const below = typeof part === "number" ? `steps/${part}/payload` : `payloads/${part}`;
  return `${apiUrl}/runs/${encodeURIComponent(id)}/${below}`;
};

/** Whatever is refused for want of a session asks for one. */
const onError = (error: unknown) => {
  if (error instanceof DurableError && error.status === 401) signedOut();
};

export const queryClient = new QueryClient({
  queryCache: new QueryCache({ onError }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // What the server refuses it refuses again; what it cannot answer now it may soon.
      retry: (failures, error) =>
        failures < 2 && !(error instanceof DurableError && error.status < 500),
      refetchOnWindowFocus: false,
    },
  },
});

// What was refused is read again; what is on screen stays until it is there.
onReturn(() => void queryClient.invalidateQueries());

/** What a failed request says to people. */
export function explainError(error: unknown): { title: string; detail: string; status?: number } {
  if (error instanceof DurableError) {
    const { title, detail, status } = error.problem;
    return { title, detail, status };
  }
  return {
    title: "The server does not answer",
    detail: "It may be restarting, or the network is down.",
  };
}
