import { useState } from "react";
import { ask, http, Refusal } from "@/api/client";
import type { Project } from "@/api/contracts";
import { Button } from "@/components/ui/Button";
import { Message } from "@/components/ui/Message";
import { Modal } from "@/components/ui/Modal";
import { ProjectSettings, type Settings } from "./ProjectSettings";

export function ProjectSettingsDialog({ project, onClose }: { project: Project; onClose: () => void }) {
  const [settings, setSettings] = useState<Settings>({ title: project.title, style: project.style, size: project.size });
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const [saving, setSaving] = useState(false);

  async function save() {
    setSaving(true);
    try {
      await ask(http.PATCH("/api/v1/projects/{project_id}", { params: { path: { project_id: project.id } }, body: settings }));
      onClose();
    } catch (error) {
      setRefusal(error instanceof Refusal ? error : new Refusal(0, String(error)));
      setSaving(false);
    }
  }

  return (
    <Modal
      open
      onOpenChange={(open) => !open && onClose()}
      title="Project settings"
      description="Pictures and videos made with other settings stay, and are marked as edited since."
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form="project-settings" disabled={saving}>
            Save
          </Button>
        </>
      }
    >
      <form
        id="project-settings"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <ProjectSettings settings={settings} onChange={(change) => setSettings({ ...settings, ...change })} wrong={(field) => refusal?.of(field)} />
        {refusal && refusal.errors.length === 0 && (
          <p role="alert" className="mt-4 text-sm text-bad">
            <Message text={refusal.message} />
          </p>
        )}
      </form>
    </Modal>
  );
}
