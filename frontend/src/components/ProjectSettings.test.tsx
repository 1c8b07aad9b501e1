import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { describe, expect, it } from "vitest";
import { ProjectSettings, type Settings } from "./ProjectSettings";

function Form() {
  const [settings, setSettings] = useState<Settings>({ title: "", style: "", size: { width: 1280, height: 720, seconds: 4, fps: 24 } });
  return (
    <>
      <ProjectSettings settings={settings} onChange={(change) => setSettings({ ...settings, ...change })} wrong={() => undefined} />
      <output>{JSON.stringify(settings.size)}</output>
    </>
  );
}

describe("the settings of a project", () => {
  it("takes a number that is written anew", async () => {
    render(<Form />);
    const seconds = screen.getByRole("spinbutton", { name: "Seconds of each video" });
    await userEvent.clear(seconds);
    expect(seconds).toHaveDisplayValue("");
    await userEvent.type(seconds, "6.5");
    expect(seconds).toHaveDisplayValue("6.5");
    expect(screen.getByRole("status")).toHaveTextContent('"seconds":6.5');
  });

  it("keeps the length where another shape is chosen", async () => {
    render(<Form />);
    await userEvent.click(screen.getByRole("radio", { name: /Upright/ }));
    expect(screen.getByRole("status")).toHaveTextContent('{"width":720,"height":1280,"seconds":4,"fps":24}');
  });
});
