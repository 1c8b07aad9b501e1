import { QueryClient } from "@tanstack/react-query";
import { Refusal } from "./client";

/** What was read of lists and takes. The storyboard itself is kept by `storyboard/sync.ts`. */
export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // A studio on one's own machine comes back within seconds, so it is asked soon and often.
      retry: (count, error) => count < 4 && (!(error instanceof Refusal) || error.passing),
      retryDelay: (count) => Math.min(4000, 400 * 2 ** count),
      networkMode: "always",
      staleTime: 2000,
    },
    mutations: { networkMode: "always" },
  },
});
