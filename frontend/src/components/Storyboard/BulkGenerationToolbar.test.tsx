import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { Tooltip } from "radix-ui";
import { describe, expect, it, vi } from "vitest";
import { findings } from "@/testing/axe";
import { counts, id, PROJECT_ID, run, worker } from "@/testing/studio";
import { BulkGenerationToolbar, type ToolbarProps } from "./BulkGenerationToolbar";

const plan = { stages: new Map([[id(1), ["image", "video"] as const]]), images: 9, videos: 24, busy: 0, withoutImage: 0 };
const nothing = { ...plan, stages: new Map(), images: 0, videos: 0 };
const videos = run({
  images: counts({ total: 9, done: 9 }),
  videos: counts({ total: 24, done: 5, running: 1, queued: 8, waiting: 10 }),
  progress: { stage: "video", settled: 5, total: 24 },
});

const both = [worker(), worker({ stage: "video", name: "video@studio" })];

function show(more: Partial<ToolbarProps> = {}) {
  const props: ToolbarProps = {
    projectId: PROJECT_ID,
    run: null,
    starting: false,
    stopping: false,
    plan,
    stages: ["image", "video"],
    order: "images_first",
    pace: {},
    workers: both,
    ahead: 0,
    failed: 0,
    edited: 0,
    made: 0,
    sentences: 24,
    clockAhead: 0,
    workInHand: () => 0,
    onGenerate: vi.fn(),
    onCancel: vi.fn(),
    onPause: vi.fn(),
    onResume: vi.fn(),
    onShowErrors: vi.fn(),
    onStages: vi.fn(),
    onOrder: vi.fn(),
    onMakeAgain: vi.fn(),
    ...more,
  };
  const drawn = render(
    <Tooltip.Provider>
      <BulkGenerationToolbar {...props} />
    </Tooltip.Provider>,
  );
  const again = (changed: Partial<ToolbarProps>) =>
    drawn.rerender(
      <Tooltip.Provider>
        <BulkGenerationToolbar {...props} {...changed} />
      </Tooltip.Provider>,
    );
  return { props, again };
}

const button = (name: string) => screen.getByRole("button", { name });

describe("the toolbar", () => {
  it("says what a press will make, and makes it", async () => {
    const { props } = show();
    expect(screen.getByText("9 images, 24 videos")).toBeInTheDocument();
    await userEvent.click(button("Generate All Scenes"));
    expect(props.onGenerate).toHaveBeenCalledOnce();
  });

  it("says how long that takes once it was measured", () => {
    show({ pace: { image: 4, video: 20 } });
    expect(screen.getByText(/about 9 min/)).toBeInTheDocument();
  });

  it("cannot be pressed when there is nothing to make", async () => {
    const { props } = show({ plan: nothing });
    expect(screen.getByText("Every scene has its image and video")).toBeInTheDocument();
    await userEvent.click(button("Generate All Scenes"));
    expect(props.onGenerate).not.toHaveBeenCalled();
  });

  it("counts while it runs, with both bars, and cannot be pressed twice", async () => {
    const { props } = show({ run: videos });
    await userEvent.click(button("Generating... (5/24)"));
    expect(props.onGenerate).not.toHaveBeenCalled();
    expect(screen.getByRole("progressbar", { name: "Images" })).toHaveAttribute("aria-valuenow", "100");
    expect(screen.getByRole("progressbar", { name: "Videos" })).toHaveAttribute("aria-valuenow", "21");
    expect(screen.getByTestId("run-line")).toHaveTextContent("8 queued, 10 waiting");
  });

  it("is the same button before and after the press, so that the focus stays", async () => {
    const { again } = show();
    button("Generate All Scenes").focus();
    again({ starting: true });
    expect(button("Generating...")).toHaveFocus();
    again({ run: videos });
    expect(button("Generating... (5/24)")).toHaveFocus();
  });

  it("cancels at once when little would be lost", async () => {
    const { props } = show({ run: videos, workInHand: () => 20 });
    await userEvent.click(button("Cancel"));
    expect(props.onCancel).toHaveBeenCalledOnce();
  });

  it("asks first when more than a minute of work would be lost", async () => {
    const { props } = show({ run: videos, workInHand: () => 300 });
    await userEvent.click(button("Cancel"));
    expect(props.onCancel).not.toHaveBeenCalled();
    expect(screen.getByRole("alertdialog")).toHaveTextContent("5 min");
    await userEvent.click(button("Stop generating"));
    expect(props.onCancel).toHaveBeenCalledOnce();
  });

  it("is stopping until the workers confirm", () => {
    show({ run: { ...videos, status: "cancelling" } });
    expect(button("Stopping...")).toBeInTheDocument();
    expect(button("Cancel")).toBeDisabled();
    expect(screen.getByText("Waiting for the workers to confirm")).toBeInTheDocument();
  });

  it("pauses and resumes, and can stop what still runs", async () => {
    const { props, again } = show({ run: videos });
    await userEvent.click(button("Pause"));
    expect(props.onPause).toHaveBeenCalledWith(false);
    again({ run: { ...videos, status: "paused" } });
    expect(button("Paused (5/24)")).toBeInTheDocument();
    await userEvent.click(button("Stop it now"));
    expect(props.onPause).toHaveBeenCalledWith(true);
    await userEvent.click(button("Resume"));
    expect(props.onResume).toHaveBeenCalledOnce();
  });

  it("says what stands in front, and how long it still takes", () => {
    show({ run: videos, ahead: 3, pace: { video: 10 } });
    expect(screen.getByTestId("run-line")).toHaveTextContent("3 jobs of others first");
    expect(screen.getByTestId("run-line")).toHaveTextContent("about 3 min left");
  });

  it("says clearly why nothing moves", () => {
    show({ run: { ...videos, notice: { cause: "no_video_worker", message: "No video worker is running." } } });
    expect(screen.getByRole("alert")).toHaveTextContent("No video worker is running.");
  });

  it("shows what is to be typed as code", () => {
    const message = "The image worker does not run: run `make models` again.";
    const { again } = show({ run: { ...videos, notice: { cause: "no_image_worker", message } } });
    expect(screen.getByText("make models").tagName).toBe("CODE");
    expect(screen.getByRole("alert")).toHaveTextContent("The image worker does not run: run make models again.");
    again({ workers: [worker({ state: "failed", detail: "run `make models`" })] });
    expect(screen.getByText("make models").tagName).toBe("CODE");
  });

  it("warns before the press that nobody is there to make it", () => {
    show({ workers: [worker()] });
    expect(screen.getByText(/No video worker is running/)).toBeInTheDocument();
  });

  it("says that the work waits for a worker that loads", () => {
    const loading = worker({ state: "starting", detail: "loading 2 of 3: model" });
    const images = run({ images: counts({ total: 2, queued: 2 }) });
    const { again } = show({ run: images, workers: [loading] });
    expect(screen.getByText(/still starting: loading 2 of 3: model/)).toBeInTheDocument();
    again({ run: images, workers: [worker()] });
    expect(screen.queryByText(/still starting/)).not.toBeInTheDocument();
  });

  it("says nothing about workers while that is not known", () => {
    show({ workers: null });
    expect(screen.queryByText(/worker is running/)).not.toBeInTheDocument();
  });

  it("leads to what failed", async () => {
    const { props } = show({ failed: 2 });
    await userEvent.click(button("2 failed"));
    expect(props.onShowErrors).toHaveBeenCalledOnce();
  });

  it("offers images only, and another order", async () => {
    const { props } = show();
    await userEvent.click(button("What to generate, and in which order"));
    await userEvent.click(screen.getByRole("menuitemradio", { name: /Images only/ }));
    expect(props.onStages).toHaveBeenCalledWith(["image"]);
    await userEvent.click(button("What to generate, and in which order"));
    await userEvent.click(screen.getByRole("menuitemradio", { name: /Scene by scene/ }));
    expect(props.onOrder).toHaveBeenCalledWith("per_scene");
  });

  it.each<[string, Partial<ToolbarProps>]>([
    ["at rest", { failed: 1, made: 3 }],
    ["running", { run: videos }],
    ["with a notice", { run: { ...videos, notice: { cause: "disk_full", message: "The disk is full." } } }],
  ])("has nothing for axe to find, %s", async (_, more) => {
    show(more);
    expect(await findings()).toEqual([]);
  });
});
