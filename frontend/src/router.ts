/** Addresses of the page: the list, a new project, a storyboard. */
import { useSyncExternalStore } from "react";

export type Route = { page: "projects" } | { page: "new" } | { page: "storyboard"; projectId: string } | { page: "lost" };

const ID = /^\/projects\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/?$/i;

export function routeOf(path: string): Route {
  if (path === "/" || path === "/projects" || path === "/projects/") return { page: "projects" };
  if (path === "/projects/new") return { page: "new" };
  const found = ID.exec(path);
  return found ? { page: "storyboard", projectId: found[1]!.toLowerCase() } : { page: "lost" };
}

export const home = "/";
export const newProject = "/projects/new";
export function storyboardOf(projectId: string): string {
  return `/projects/${projectId}`;
}

const moved = new EventTarget();

export function go(address: string, { replace = false } = {}): void {
  history[replace ? "replaceState" : "pushState"](null, "", address);
  scrollTo(0, 0);
  moved.dispatchEvent(new Event("moved"));
}

function subscribe(listener: () => void): () => void {
  moved.addEventListener("moved", listener);
  addEventListener("popstate", listener);
  return () => {
    moved.removeEventListener("moved", listener);
    removeEventListener("popstate", listener);
  };
}

export function useRoute(): Route {
  return routeOf(useSyncExternalStore(subscribe, () => location.pathname));
}
