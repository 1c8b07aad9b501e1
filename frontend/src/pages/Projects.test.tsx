import { QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { Tooltip } from "radix-ui";
import { Toaster } from "sonner";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { ProjectSummary } from "@/api/contracts";
import { queries } from "@/api/queries";
import { id, project } from "@/testing/studio";
import { Projects } from "./Projects";

const deleted = new Set<string>();

function summary(number: number): ProjectSummary {
  return { ...project({ id: id(number), title: `Story ${number}` }), sentences: 0, images: 0, videos: 0, poster: null, run: null };
}

/** A studio that has as many projects, and deletes and restores them. */
async function show(count: number) {
  vi.stubGlobal("fetch", async (request: Request) => {
    const [, number, restore] = /projects\/([^/?]+)(\/restore)?$/.exec(request.url) ?? [];
    if (number && restore) deleted.delete(number);
    else if (number) deleted.add(number);
    const projects = Array.from({ length: count }, (_, index) => summary(index + 1)).filter((one) => !deleted.has(one.id));
    return request.method === "DELETE" ? new Response(null, { status: 204 }) : Response.json({ projects, total: projects.length });
  });
  render(
    <QueryClientProvider client={queries}>
      <Tooltip.Provider>
        <Projects />
        <Toaster />
      </Tooltip.Provider>
    </QueryClientProvider>,
  );
  await screen.findByRole("link", { name: "Story 1" });
}

const tile = (number: number) => screen.getByRole("link", { name: `Story ${number}` });

async function remove(number: number) {
  await userEvent.click(screen.getByRole("button", { name: `Delete Story ${number}` }));
  await waitFor(() => expect(screen.queryByRole("link", { name: `Story ${number}` })).not.toBeInTheDocument());
}

describe("the focus after a deletion", () => {
  beforeEach(() => {
    deleted.clear();
    queries.clear();
  });

  it("is on the next project, or on the one before where there is none", async () => {
    await show(3);
    await remove(2);
    await waitFor(() => expect(tile(3)).toHaveFocus());
    await remove(3);
    await waitFor(() => expect(tile(1)).toHaveFocus());
  });

  it("is on what makes a new one when none is left, and on the project that comes back", async () => {
    await show(1);
    await remove(1);
    const link = screen.getAllByRole("link", { name: "New project" }).at(-1);
    await waitFor(() => expect(link).toHaveFocus());
    const toast = (await screen.findByText("“Story 1” deleted")).closest("li")!;
    await userEvent.click(within(toast).getByRole("button", { name: "Undo" }));
    await waitFor(() => expect(tile(1)).toHaveFocus());
  });

  it("stays where the creator has gone meanwhile", async () => {
    await show(2);
    const elsewhere = screen.getByRole("button", { name: "Preferences" });
    fireEvent.click(screen.getByRole("button", { name: "Delete Story 1" }));
    elsewhere.focus();
    await waitFor(() => expect(screen.queryByRole("link", { name: "Story 1" })).not.toBeInTheDocument());
    expect(elsewhere).toHaveFocus();
  });
});
