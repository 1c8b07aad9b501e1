import { useFraction } from "@/hooks/useFraction";

const MOST_BLUR_PX = 14;

/** What a running job will look like, the sharper the further it is. Fills the box it is in, behind what follows. */
export function ScenePreview({ picture, sceneId }: { picture: string; sceneId: string | null }) {
  const left = 1 - (useFraction(sceneId)?.fraction ?? 0);
  return (
    <img
      src={`data:image/jpeg;base64,${picture}`}
      alt=""
      draggable={false}
      data-preview
      // A little larger than its box: the blur would show the edges.
      style={{ filter: `blur(${(left * MOST_BLUR_PX).toFixed(1)}px)`, transform: `scale(${(1 + left * 0.16).toFixed(3)})` }}
      className="absolute inset-0 size-full object-cover transition-[filter,transform] duration-300 motion-safe:animate-[appear_200ms_ease-out]"
    />
  );
}
