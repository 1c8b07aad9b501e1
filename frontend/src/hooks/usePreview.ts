import { useContext, useState, useSyncExternalStore } from "react";
import { SyncContext } from "./useFraction";

export interface ShownPreview {
  picture: string; //: a JPEG, as base64
  running: boolean; //: it takes the place of the image; else it fills in until the new image is on the screen
}

/**
 * What the job of a scene will look like; and the last of it for the moment between its end and the new image
 * being loaded, which `onLoaded` tells.
 */
export function usePreview(sceneId: string | null, imageKey: string | undefined): [shown: ShownPreview | null, onLoaded: () => void] {
  const sync = useContext(SyncContext);
  const preview = useSyncExternalStore(sync?.subscribe ?? nothing, () => {
    return sceneId === null ? undefined : sync?.read().known.board?.previews.get(sceneId);
  });
  const [loaded, setLoaded] = useState<string | undefined>(undefined);
  const [last, setLast] = useState<{ of: string | null; picture: string; over: string | undefined } | null>(null);
  if (preview && preview.picture !== last?.picture) setLast({ of: sceneId, picture: preview.picture, over: imageKey });
  const onLoaded = () => setLoaded(imageKey);
  if (preview) return [{ picture: preview.picture, running: true }, onLoaded];
  const comes = last?.of === sceneId && imageKey && imageKey !== last.over && imageKey !== loaded;
  return [comes ? { picture: last.picture, running: false } : null, onLoaded];
}

const nothing = () => () => {};
