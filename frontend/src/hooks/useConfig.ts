import { useQuery } from "@tanstack/react-query";
import { ask, http } from "@/api/client";
import type { Config } from "@/api/contracts";

/** Limits and defaults of the studio; undefined while they are not known. */
export function useConfig(): Config | undefined {
  const { data } = useQuery({ queryKey: ["config"], queryFn: () => ask(http.GET("/api/v1/config")), staleTime: Infinity });
  return data;
}
