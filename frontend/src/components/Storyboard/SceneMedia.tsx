import { memo, useEffect, useRef, useState } from "react";
import type { Artifact, Sentence } from "@/api/contracts";
import { fileUrl, smallImage } from "@/api/client";
import { classes } from "@/components/ui/classes";
import { usePreview } from "@/hooks/usePreview";
import { ScenePreview } from "./ScenePreview";

interface Props {
  sentence: Sentence;
  sceneId: string | null;
  number: number;
  playing: boolean; //: the pointer or the focus is on the card
  dimmed: boolean;
}

/** The image of a scene; its video over it while it is looked at. The box around it has its size already. */
export const SceneMedia = memo(function SceneMedia({ sentence, sceneId, number, playing, dimmed }: Props) {
  const { image, video } = sentence;
  const [preview, onLoaded] = usePreview(sceneId, image?.key);
  return (
    <>
      {!image && (
        // A watermark and no text: it is said elsewhere, and meant to be faint.
        <span
          aria-hidden
          data-number={number}
          className="absolute inset-0 flex items-center justify-center font-story text-6xl font-medium text-ink/10 steady before:content-[attr(data-number)]"
        />
      )}
      {preview && <ScenePreview picture={preview.picture} sceneId={sceneId} />}
      {image && <Picture key={image.key} image={image} opacity={preview?.running ? 0 : dimmed ? 55 : 100} onLoaded={onLoaded} />}
      {image && video && playing && !preview && <Clip key={video.key} src={fileUrl(video)} />}
    </>
  );
});

const OPACITY = { 0: "opacity-0", 55: "opacity-55", 100: "opacity-100" };

function Picture({ image, opacity, onLoaded }: { image: Artifact; opacity: keyof typeof OPACITY; onLoaded: () => void }) {
  const [shown, setShown] = useState(false);
  const element = useRef<HTMLImageElement>(null);
  useEffect(() => {
    if (element.current?.complete) setShown(true);
  }, []);
  return (
    <img
      ref={element}
      {...smallImage(image, "(max-width: 640px) 100vw, 400px")}
      alt=""
      decoding="async"
      draggable={false}
      onLoad={() => setShown(true)}
      // Only when it is faded in, what is behind it may go.
      onTransitionEnd={onLoaded}
      className={classes("absolute inset-0 size-full object-cover transition-opacity duration-200", shown ? OPACITY[opacity] : "opacity-0")}
    />
  );
}

function Clip({ src }: { src: string }) {
  const [shown, setShown] = useState(false);
  return (
    <video
      src={src}
      muted
      loop
      autoPlay
      playsInline
      aria-hidden
      tabIndex={-1}
      onPlaying={() => setShown(true)}
      // What cannot be played leaves its image in place.
      onError={() => setShown(false)}
      className={classes("absolute inset-0 size-full object-cover transition-opacity duration-150", shown ? "opacity-100" : "opacity-0")}
    />
  );
}
