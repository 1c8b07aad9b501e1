import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { Tooltip } from "radix-ui";
import { describe, expect, it, vi } from "vitest";
import { NOTHING, reduce } from "@/storyboard/board";
import { failureGroups, report, retriesOf } from "@/storyboard/failures";
import { findings } from "@/testing/axe";
import { artifact, id, project, scene, sentence, storyboard } from "@/testing/studio";
import { ErrorSummaryDialog } from "./ErrorSummaryDialog";

const failure = (cause: string) => ({ cause, message: `It is ${cause}.`, detail: `Traceback of ${cause}`, fits: null });
const FITS = { width: 832, height: 480 };
const { size } = project();
const board = reduce(NOTHING, {
  type: "snapshot",
  storyboard: storyboard({
    sentences: [1, 2, 3, 4].map((number) => sentence(number)),
    scenes: [
      scene(1, { status: "failed", failure: failure("bad_prompt") }),
      scene(2, { status: "failed", stage: "video", image: artifact("image/2"), failure: failure("out_of_memory") }),
      scene(3, { status: "failed", failure: failure("out_of_memory"), run_id: id(9001) }),
      scene(4, { status: "done", stage: "video" }),
    ],
  }),
}).board!;
const groups = failureGroups(board);
const all = groups.flatMap((group) => group.failed);

function show(given = groups) {
  const props = { onRetry: vi.fn(), onOpenChange: vi.fn(), onOpenScene: vi.fn(), returnFocus: () => null };
  render(
    <Tooltip.Provider>
      <ErrorSummaryDialog open groups={given} size={size} {...props} />
    </Tooltip.Provider>,
  );
  return props;
}

const numbers = (failed: { sentence: { position: number } }[]) => failed.map(({ sentence }) => sentence.position);

describe("the error summary", () => {
  it("groups by cause, the largest first, with what to do about each", () => {
    show();
    expect(screen.getByRole("dialog", { name: "3 scenes failed" })).toBeInTheDocument();
    const [first, second] = screen.getAllByRole("heading", { level: 3 });
    expect(first).toHaveTextContent("Out of GPU memory2 scenes");
    expect(second).toHaveTextContent("The prompt was not accepted1 scene");
    expect(screen.getByText(/The same settings will fail again/)).toBeInTheDocument();
  });

  it("shows each sentence with its reason, its image if there is one, and the technical detail", () => {
    show();
    const rows = screen.getAllByRole("listitem");
    expect(rows[0]).toHaveTextContent("2Sentence 2Video: It is out_of_memory.");
    expect(rows[0]?.querySelector("img")).toHaveAttribute("src", "/api/v1/artifacts/image/2");
    expect(rows[1]?.querySelector("img")).toBeNull();
    expect(rows[1]).toHaveTextContent("Traceback of out_of_memory");
  });

  it("shows what is to be typed as code", () => {
    const [{ failed, ...group }] = groups as [(typeof groups)[0]];
    const message = "It is not here: run `make models`.";
    show([{ ...group, failed: failed.map((one) => ({ ...one, failure: { ...one.failure, message } })) }]);
    expect(screen.getAllByText("make models").map(({ tagName }) => tagName)).toEqual(["CODE", "CODE"]);
  });

  it("retries all, one cause, or one sentence", async () => {
    const { onRetry } = show();
    await userEvent.click(screen.getByRole("button", { name: "Retry all 3" }));
    expect(numbers(onRetry.mock.calls[0]![0])).toEqual([2, 3, 1]);
    const region = screen.getByRole("region", { name: /Out of GPU memory/ });
    await userEvent.click(within(region).getByRole("button", { name: "Retry these 2" }));
    expect(numbers(onRetry.mock.calls[1]![0])).toEqual([2, 3]);
    await userEvent.click(screen.getByRole("button", { name: "Retry scene 1" }));
    expect(numbers(onRetry.mock.calls[2]![0])).toEqual([1]);
  });

  it("offers the size that fits, and names it wherever it would be made", async () => {
    const small = groups.map((group) => ({
      ...group,
      failed: group.failed.map((one) => ({ ...one, failure: { ...one.failure, fits: group.cause === "out_of_memory" ? FITS : null } })),
    }));
    const { onRetry } = show(small);
    const region = screen.getByRole("region", { name: /Out of GPU memory/ });
    expect(region).toHaveTextContent("so a retry makes these smaller");
    await userEvent.click(within(region).getByRole("button", { name: "Retry these 2 at 832 × 480" }));
    expect(numbers(onRetry.mock.calls[0]![0])).toEqual([2, 3]);
    expect(screen.getByRole("button", { name: "Retry scene 2 at 832 × 480" })).toBeInTheDocument();
    expect(screen.getByRole("button", { name: "Retry scene 1" })).toBeInTheDocument();
    expect(screen.getByRole("button", { name: "Retry all 3" })).toBeInTheDocument();
  });

  it("puts the focus on the retry", () => {
    show();
    expect(screen.getByRole("button", { name: "Retry all 3" })).toHaveFocus();
  });

  it("opens the scene itself", async () => {
    const { onOpenScene } = show();
    await userEvent.click(screen.getByRole("button", { name: "Open scene 3" }));
    expect(onOpenScene).toHaveBeenCalledWith(id(3));
  });

  it("says so when nothing is left", () => {
    show([]);
    expect(screen.getByRole("dialog", { name: "Nothing is left to fix" })).toBeInTheDocument();
  });

  it("copies everything that a report needs", async () => {
    const user = userEvent.setup();
    show();
    await user.click(screen.getByRole("button", { name: "Copy details of scene 2" }));
    expect(await navigator.clipboard.readText()).toBe(report(groups[0]!.failed[0]!));
  });

  it("has nothing for axe to find", async () => {
    show();
    expect(await findings()).toEqual([]);
  });
});

it("each run is asked for its own failures", () => {
  expect(retriesOf(all, size)).toEqual([
    { runId: id(9000), sentence_ids: [id(2), id(1)], fits: null },
    { runId: id(9001), sentence_ids: [id(3)], fits: null },
  ]);
});

it("what did not fit is asked for in the size that does, and in no smaller one than the project's", () => {
  const [second, ...others] = all;
  const failed = [{ ...second!, failure: { ...second!.failure, fits: FITS } }, ...others];
  expect(retriesOf(failed, size)).toEqual([
    { runId: id(9000), sentence_ids: [id(2)], fits: FITS },
    { runId: id(9001), sentence_ids: [id(3)], fits: null },
    { runId: id(9000), sentence_ids: [id(1)], fits: null },
  ]);
  expect(retriesOf(failed, { ...size, ...FITS })[0]).toMatchObject({ sentence_ids: [id(2), id(1)], fits: null });
});

it("a report names everything", () => {
  const text = report(groups[0]!.failed[0]!);
  for (const part of [id(1002), id(9000), "sentence 2", "video", "out_of_memory", "Traceback"]) expect(text).toContain(part);
});
